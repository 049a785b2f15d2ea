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
  const { good = 0, bad = 0, check_probability: share = 0, quarantined } = worker.trust ?? {};
  if (quarantined) return <span class="bad">wrong scores since {dateTime(quarantined)}</span>;
  if (!good && !bad) return <span class="muted">not checked</span>;
  return (
    <>
      {count(good)} agreed{bad > 0 && <span class="bad"> {count(bad)} did not</span>}
      <span class="muted sub">{percent(share, 0)} are checked</span>
    </>
  );
}

type Verb = "revoke" | "release";

export function WorkerActions({ worker: w, kind, onDone }: { worker: Worker; kind: "quiet" | "plain"; onDone: () => void }) {
  const [asked, setAsked] = useState<Verb | null>(null);
  const act = useAction(async (verb: Verb) => {
    await (verb === "revoke" ? api.revokeWorker(w.id) : api.releaseWorker(w.id));
    setAsked(null);
    tell(verb === "revoke" ? `${w.name} is revoked; what it was doing goes back to the queue.` : `${w.name} gets jobs again; its trust begins anew.`);
    onDone();
  });
  if (!mayAdmin.value || w.state === "revoked" || w.state === "left") return null;
  const close = () => (act.clear(), setAsked(null));
  return (
    <>
      {w.state === "quarantined" && (
        <Button small kind={kind} onClick={() => setAsked("release")} aria-label={`Release ${w.name}`}>
          Release
        </Button>
      )}
      <Button small kind={kind === "quiet" ? "quiet" : "danger"} onClick={() => setAsked("revoke")} aria-label={`Revoke ${w.name}`}>
        Revoke
      </Button>
      {asked === "revoke" && (
        <Confirm title={`Revoke ${w.name}?`} verb="Revoke" busy={act.busy} error={act.error} onYes={() => void act.run("revoke")} onNo={close}>
          <p>Its key ends now and its leases go back to the queue. What it has already scored stays. It can join again only with a join token.</p>
        </Confirm>
      )}
      {asked === "release" && (
        <Confirm title={`Release ${w.name}?`} verb="Release" busy={act.busy} error={act.error} onYes={() => void act.run("release")} onNo={close}>
          <p>
            Its scores did not agree with those of other workers, so it gets no jobs and what it scored was taken back. Release it when you know why and
            the cause is gone: it is then trusted like a new worker.
          </p>
        </Confirm>
      )}
    </>
  );
}
