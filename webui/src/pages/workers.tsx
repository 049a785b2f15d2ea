// workers: the machines that compute, what they are doing, and how to add one.
import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Worker } from "../api/types";
import { ago, bytes, count, dateTime, plural, rate } from "../format";
import { Button, CodeBlock, Empty, Failure, Pending, Tile } from "../parts/basics";
import { TrustWords, WorkerActions, WorkerBadge } from "../parts/machine";
import { mayAdmin } from "../state/session";
import { useAction, useNow, useResource } from "../state/use";

const present = (w: Worker) => w.state === "busy" || w.state === "idle";

function Jobs({ worker }: { worker: Worker }) {
  const jobs = worker.jobs ?? [];
  if (!jobs.length) return <>{worker.leases ? plural(worker.leases, "lease") : <span class="muted">none</span>}</>;
  return (
    <>
      {jobs.map((j) => (
        <span class="line">
          <a href={`/searches/${j.search}`}>search {j.search}</a>
          <span class="muted">
            {" "}
            job {j.job}
            {j.of ? `, ${j.done ?? 0} of ${j.of}` : ""}
          </span>
        </span>
      ))}
    </>
  );
}

function Row({ worker: w, now, onDone }: { worker: Worker; now: number; onDone: () => void }) {
  return (
    <tr class={present(w) ? "" : "faded"}>
      <td class="name">
        <a href={`/workers/${w.id}`}>{w.name}</a>
        <span class="muted sub">{w.host}</span>
      </td>
      <td data-label="State">
        <WorkerBadge state={w.state} />
      </td>
      <td data-label="Backend">
        {w.backend ?? "–"}
        <span class="muted sub">
          {w.threads ? plural(w.threads, "thread") : ""}
          {w.memory_bytes ? `, ${bytes(w.memory_bytes)}` : ""}
        </span>
      </td>
      <td data-label="Working on">
        <Jobs worker={w} />
      </td>
      <td data-label="Rate" class="num">
        {present(w) ? rate(w.candidates_per_s) : "–"}
        {present(w) && w.images_per_s ? <span class="muted sub">{count(Math.round(w.images_per_s))} images / s</span> : null}
      </td>
      <td data-label="Scored" class="num">
        {count(w.scored)}
        {w.failed ? <span class="bad sub">{count(w.failed)} failed</span> : null}
      </td>
      <td data-label="Second opinions">
        <TrustWords worker={w} />
      </td>
      <td data-label="Last contact" class="num">
        <span title={dateTime(w.seen)}>{ago(w.seen, now)}</span>
      </td>
      <td data-label="Build" class="muted">
        <code>{w.build}</code>
      </td>
      {mayAdmin.value && (
        <td class="end">
          <WorkerActions worker={w} kind="quiet" onDone={onDone} />
        </td>
      )}
    </tr>
  );
}

function Join() {
  const [secret, setSecret] = useState("");
  const make = useAction(async () => setSecret((await api.createToken("join", `join ${new Date().toISOString().slice(0, 16)}`)).secret ?? ""));
  const shown = secret || "TOKEN";
  return (
    <section class="panel" aria-labelledby="join-title">
      <h2 id="join-title">Add a worker</h2>
      <p>
        On any machine that can reach this address, put the join token into a file and start the worker. It gets a key of its own, which
        you can revoke here without touching the others.
      </p>
      <CodeBlock
        label="On the new machine"
        text={`(umask 077; echo '${shown}' > join.token)\nsubrank-worker --server ${location.origin} --join-token-file join.token`}
      />
      {mayAdmin.value ? (
        <div class="actions">
          <Button kind={secret ? "plain" : "primary"} busy={make.busy} onClick={() => void make.run()}>
            {secret ? "Make another join token" : "Make a join token"}
          </Button>
          <span class="muted">
            {secret ? "The token is shown only now. It stays valid until it is revoked under Admin." : "The token is put into the commands above."}
          </span>
        </div>
      ) : (
        <p class="muted">An administrator can make the join token that stands for TOKEN.</p>
      )}
      {make.error && <Failure problem={make.error} />}
    </section>
  );
}

export function Workers() {
  const now = useNow(1000);
  const workers = useResource("workers", (s) => api.workers(s), {
    when: (c) => c.kinds.has("worker") || c.kinds.has("job") || c.kinds.has("score"),
    everyMs: 1000,
  });
  const all = [...(workers.value ?? [])].sort((a, b) => Number(present(b)) - Number(present(a)) || a.name.localeCompare(b.name));
  const here = all.filter(present);
  const held = all.filter((w) => w.state === "quarantined").length;
  const gone = all.length - here.length - held;
  const away = [...(held ? [`${held} quarantined`] : []), ...(gone ? [`${gone} gone`] : [])];
  const sum = (f: (w: Worker) => number | null | undefined) => here.reduce((t, w) => t + (f(w) ?? 0), 0);
  return (
    <>
      <div class="page-head">
        <h1>Workers</h1>
      </div>
      {!workers.value ? (
        <Pending what="workers" error={workers.error} reload={workers.reload} />
      ) : (
        <>
          {workers.error && <Failure problem={workers.error} />}
          <dl class="tiles">
            <Tile label="Present" sub={away.join(", ") || undefined}>
              {here.length}
            </Tile>
            <Tile label="Busy">{here.filter((w) => w.state === "busy").length}</Tile>
            <Tile label="Threads">{sum((w) => w.threads)}</Tile>
            <Tile label="Together" sub="architectures scored">
              {rate(sum((w) => w.candidates_per_s))}
            </Tile>
          </dl>
          {all.length === 0 ? (
            <Empty title="No worker has joined">
              <p>Searches wait until one does. Start one as shown below.</p>
            </Empty>
          ) : (
            <div class="panel flush">
              <table class="list cards-narrow">
                <thead>
                  <tr>
                    <th scope="col">Worker</th>
                    <th scope="col">State</th>
                    <th scope="col">Backend</th>
                    <th scope="col">Working on</th>
                    <th scope="col" class="num">
                      Rate
                    </th>
                    <th scope="col" class="num">
                      Scored
                    </th>
                    <th scope="col">Second opinions</th>
                    <th scope="col" class="num">
                      Last contact
                    </th>
                    <th scope="col">Build</th>
                    {mayAdmin.value && (
                      <th scope="col">
                        <span class="sr">Actions</span>
                      </th>
                    )}
                  </tr>
                </thead>
                <tbody>
                  {all.map((w) => (
                    <Row key={w.id} worker={w} now={now} onDone={workers.reload} />
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </>
      )}
      <Join />
    </>
  );
}
