// machine: what the list of workers and the page of one share: its state, what second opinions say of its scores, and what
// an administrator can do about it.
import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Worker } from "../api/types";
import { count, dateTime, percent } from "../format";
import { mayAdmin } from "../state/session";
import { tell } from "../state/toast";
import { useAction } from "../state/use";
import { Button, Confirm } from "./basics";

const words: Record<string, string> = {
  busy: "Busy",
  idle: "Idle",
  lost: "Lost contact",
  left: "Left",
  revoked: "Revoked",
  quarantined: "Quarantined",
};

export function WorkerBadge({ state }: { state: string }) {
  return <span class={`badge worker-${state}`}>{words[state] ?? state}</span>;
}

// Others repeat some of its scores (where the coordinator is told to let them); rarely, once enough have agreed.
export function TrustWords({ worker }: { worker: Worker }) {
  const { good = 0, bad = 0, check_probability: share = 0, quarantined, by_hand: byHand } = worker.trust ?? {};
  if (quarantined)
    return (
      <span class="bad">
        {byHand ? "distrusted by hand" : "wrong scores"} since {dateTime(quarantined)}
      </span>
    );
  if (!good && !bad) return <span class="muted">not checked</span>;
  return (
    <>
      {count(good)} agreed{bad > 0 && <span class="bad"> {count(bad)} did not</span>}
      <span class="muted sub">{percent(share, 0)} are checked</span>
    </>
  );
}

type Verb = "quarantine" | "release" | "revoke";

const deeds: Record<Verb, { name: string; call: (id: number) => Promise<unknown>; done: (name: string) => string }> = {
  quarantine: { name: "Quarantine", call: api.quarantineWorker, done: (n) => `${n} is in quarantine; what it scored is scored again.` },
  release: { name: "Release", call: api.releaseWorker, done: (n) => `${n} gets jobs again; its trust begins anew.` },
  revoke: { name: "Revoke", call: api.revokeWorker, done: (n) => `${n} is revoked; what it was doing goes back to the queue.` },
};

function Consequences({ verb, worker }: { verb: Verb; worker: Worker }) {
  if (verb === "revoke")
    return <p>Its key ends now and its leases go back to the queue. What it has already scored stays. It can join again only with a join token.</p>;
  if (verb === "quarantine")
    return (
      <p>
        It gets no more jobs and its leases go back to the queue. What it scored is taken back, in finished searches too, and is scored again by
        others; only cancelled and failed searches keep it. It stays connected, so that you can release it.
      </p>
    );
  return (
    <p>
      {worker.trust?.by_hand
        ? "It was put in quarantine by hand, so it gets no jobs and what it scored was taken back."
        : "Its scores did not agree with those of other workers, so it gets no jobs and what it scored was taken back."}{" "}
      Release it when you know why and the cause is gone: it is then trusted like a new worker.
    </p>
  );
}

export function WorkerActions({ worker: w, kind, onDone }: { worker: Worker; kind: "quiet" | "plain"; onDone: () => void }) {
  const [asked, setAsked] = useState<Verb | null>(null);
  const act = useAction(async (verb: Verb) => {
    await deeds[verb].call(w.id);
    setAsked((now) => (now === verb ? null : now)); // another question may have been opened meanwhile
    tell(deeds[verb].done(w.name));
    onDone();
  });
  if (!mayAdmin.value || w.state === "revoked" || w.state === "left") return null;
  const close = () => (act.clear(), setAsked(null));
  const button = (verb: Verb, look: "quiet" | "plain" | "danger") => (
    <Button small kind={look} onClick={() => setAsked(verb)} aria-label={`${deeds[verb].name} ${w.name}`}>
      {deeds[verb].name}
    </Button>
  );
  return (
    <>
      {button(w.state === "quarantined" ? "release" : "quarantine", kind)} {button("revoke", kind === "quiet" ? "quiet" : "danger")}
      {asked && (
        <Confirm
          title={`${deeds[asked].name} ${w.name}?`}
          verb={deeds[asked].name}
          busy={act.busy}
          error={act.error}
          onYes={() => void act.run(asked)}
          onNo={close}
        >
          <Consequences verb={asked} worker={w} />
        </Confirm>
      )}
    </>
  );
}
