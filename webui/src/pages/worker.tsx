// worker: one machine: what it is, what it does now, and every job it has finished.
import { api } from "../api/client";
import type { JobDone, Worker } from "../api/types";
import { linear, ticks, useWidth } from "../charts/svg";
import { ago, bytes, count, dateTime, duration, plural, rate, si } from "../format";
import { Empty, Pending, Tile } from "../parts/basics";
import { Figure } from "../parts/figure";
import { TrustWords, WorkerActions, WorkerBadge } from "../parts/machine";
import { useNow, useResource } from "../state/use";

const perSecond = (j: JobDone) => (j.wall_ms ? (1000 * j.candidates) / j.wall_ms : null);

// Speed of each job, oldest first.
function Speeds({ jobs }: { jobs: JobDone[] }) {
  const [host, width] = useWidth<HTMLDivElement>();
  const known = [...jobs].reverse().filter((j) => perSecond(j) !== null);
  const most = Math.max(1e-9, ...known.map((j) => perSecond(j)!));
  const y = linear([0, most], [150, 10]);
  const step = (width - 76) / Math.max(1, known.length);
  return (
    <div ref={host}>
      {width > 0 && (
        <svg class="drawn" width={width} height={176} role="img" aria-label={`Architectures per second in ${known.length} jobs. The Table button lists them.`}>
          {ticks(0, most, 4).map((t) => (
            <g>
              <line class="grid" x1={62} x2={width - 14} y1={y(t)} y2={y(t)} />
              <text class="tick end" x={55} y={y(t) + 4}>
                {si(t)}
              </text>
            </g>
          ))}
          {known.map((j, i) => (
            <rect class="speed" x={62 + i * step + step * 0.1} width={Math.max(1, Math.min(26, step * 0.8))} y={y(perSecond(j)!)} height={150 - y(perSecond(j)!)} rx={1}>
              <title>{`Job ${j.id}: ${count(j.candidates)} in ${duration((j.wall_ms ?? 0) / 1000)}`}</title>
            </rect>
          ))}
          <text class="tick middle" x={(62 + width) / 2} y={170}>
            Jobs, oldest first
          </text>
        </svg>
      )}
    </div>
  );
}

function JobTable({ jobs }: { jobs: JobDone[] }) {
  return (
    <div class="twin tall" tabIndex={0} role="region" aria-label="Finished jobs, newest first">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Finished</th>
            <th scope="col">Job</th>
            <th scope="col">Search</th>
            <th scope="col">Kind</th>
            <th scope="col">State</th>
            <th scope="col" class="num">
              Architectures
            </th>
            <th scope="col" class="num">
              Time
            </th>
            <th scope="col" class="num">
              Speed
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((j) => (
            <tr key={j.id}>
              <td class="nowrap">{dateTime(j.done, true)}</td>
              <td>{j.id}</td>
              <td>
                <a class="nowrap" href={`/searches/${j.search}`}>
                  search {j.search}
                </a>
              </td>
              <td>{j.kind}</td>
              <td>{j.state}</td>
              <td class="num">{count(j.candidates)}</td>
              <td class="num">{j.wall_ms == null ? "–" : duration(j.wall_ms / 1000)}</td>
              <td class="num">{rate(perSecond(j))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head({ worker: w, reload }: { worker: Worker; reload: () => void }) {
  return (
    <div class="page-head">
      <div class="title">
        <p class="crumb">
          <a href="/workers">Workers</a>
        </p>
        <h1>
          {w.name} <WorkerBadge state={w.state} />
        </h1>
        <p class="muted">
          {[w.host, w.backend, w.threads ? plural(w.threads, "thread") : "", w.memory_bytes ? bytes(w.memory_bytes) : "", w.build ? `build ${w.build}` : ""].filter(Boolean).join(" · ")}
        </p>
      </div>
      <span class="grow" />
      <div class="actions">
        <WorkerActions worker={w} kind="plain" onDone={reload} />
      </div>
    </div>
  );
}

export function WorkerPage({ id }: { id: number }) {
  const now = useNow(1000);
  const live = { when: (c: { kinds: Set<string> }) => c.kinds.has("worker") || c.kinds.has("job"), everyMs: 1000 };
  const worker = useResource(`worker/${id}`, (s) => api.worker(id, s), live);
  const jobs = useResource(`worker-jobs/${id}`, (s) => api.workerJobs(id, s), live);
  const w = worker.value;
  if (!w) return <Pending what="the worker" error={worker.error} reload={worker.reload} />;
  const items = jobs.value?.items;
  return (
    <>
      <Head worker={w} reload={worker.reload} />
      {w.state === "quarantined" && (
        <div class="failure" role="alert">
          <strong>Quarantined:</strong> {w.trust?.by_hand ? "an administrator distrusts it" : "its scores did not agree with those of other workers"}.
          It gets no jobs, and what it scored was taken back and is scored again by others.
        </div>
      )}
      <dl class="tiles">
        <Tile label="Scored" sub={w.failed ? `${count(w.failed)} failed` : "architectures"}>
          {count(w.scored ?? 0)}
        </Tile>
        <Tile label="Speed" sub={w.images_per_s ? `${count(Math.round(w.images_per_s))} images / s` : undefined}>
          {rate(w.candidates_per_s)}
        </Tile>
        <Tile label="Second opinions">
          <TrustWords worker={w} />
        </Tile>
        <Tile label="Leases">{w.leases ?? 0}</Tile>
        <Tile label="Joined">{ago(w.joined, now)}</Tile>
        <Tile label="Last contact" sub={dateTime(w.seen)}>
          {ago(w.seen, now)}
        </Tile>
      </dl>
      {!items && <Pending what="its jobs" error={jobs.error} reload={jobs.reload} />}
      {items?.length === 0 && (
        <Empty title="It has not finished a job yet">
          <p>Its history appears here with its first result.</p>
        </Empty>
      )}
      {items && items.length > 0 && (
        <>
          <Figure
            title="Architectures per second"
            name={`worker-${id}-speed`}
            about="One bar a job, by the worker’s own clock."
            twin={() => ({ columns: ["Job", "Search", "Architectures", "Milliseconds", "Per second"], rows: items.map((j) => [j.id, j.search, j.candidates, j.wall_ms, perSecond(j)]) })}
          >
            <Speeds jobs={items} />
          </Figure>
          <section class="panel" aria-labelledby="jobs-title">
            <h2 id="jobs-title">Finished jobs</h2>
            <JobTable jobs={items} />
            {jobs.value?.next && <p class="note">The newest {items.length}; older ones are at /api/v1/workers/{id}/jobs.</p>}
          </section>
        </>
      )}
    </>
  );
}
