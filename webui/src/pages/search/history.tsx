// history: how the search went: its generations, and the log of what happened.
import { api } from "../../api/client";
import type { LogEntry, Search } from "../../api/types";
import { Generations } from "../../charts/generations";
import { count, dateTime, percent } from "../../format";
import { Empty, Pending } from "../../parts/basics";
import { Figure } from "../../parts/figure";
import { setQuery } from "../../router";
import { useResource } from "../../state/use";

const HEIGHT = 320;

function GenerationFigure({ search }: { search: Search }) {
  const loaded = useResource(`generations/${search.id}`, (s) => api.generations(search.id, s), {
    when: (c) => c.searches.has(search.id),
    everyMs: 2000,
  });
  const items = loaded.value?.items;
  if (!items) return <Pending what="the generations" error={loaded.error} reload={loaded.reload} />;
  if (items.length < 2) return null; // a strategy without generations
  return (
    <Figure
      title="Generations"
      name={`search-${search.id}-generations`}
      about="The line is the best of each generation, the box the middle half with its median, the thin line goes from the worst to the best."
      twin={() => ({
        columns: ["Generation", "Scored", "Best", "Upper quarter", "Median", "Lower quarter", "Worst", "Mean"],
        rows: items.map((g) => [g.generation, g.n, g.best, g.q3, g.median, g.q1, g.worst, g.mean]),
      })}
    >
      <Generations items={items} height={HEIGHT} />
    </Figure>
  );
}

function Words({ entry }: { entry: LogEntry }) {
  const d = entry.data as Record<string, string | number | undefined>;
  if (entry.kind === "search") return <>The search is {d.state}</>;
  if (entry.kind === "job")
    return (
      <>
        Job {d.job} is {d.state}
        {d.worker ? (
          <>
            {" "}
            · <a href={`/workers/${d.worker}`}>worker {d.worker}</a>
          </>
        ) : (
          ""
        )}
      </>
    );
  if (entry.kind === "score")
    return (
      <>
        {count(d.scored)} scored; the newest is{" "}
        <button type="button" class="link code" onClick={() => setQuery({ code: String(d.code) }, true)}>
          {d.code}
        </button>{" "}
        {d.accuracy != null ? percent(Number(d.accuracy)) : "which failed"}
      </>
    );
  return <code>{JSON.stringify(entry.data)}</code>;
}

export function HistoryView({ search }: { search: Search }) {
  const log = useResource(`log/${search.id}`, (s) => api.log(search.id, s), { when: (c) => c.searches.has(search.id), everyMs: 1000 });
  const items = log.value?.items;
  return (
    <>
      <GenerationFigure search={search} />
      <section class="panel" aria-labelledby="log-title">
        <h2 id="log-title">What happened</h2>
        {!items && <Pending what="the log" error={log.error} reload={log.reload} />}
        {items?.length === 0 && (
          <Empty title="Nothing is kept about this search">
            <p>The coordinator keeps the newest events only; this search was quiet since then.</p>
          </Empty>
        )}
        {items && items.length > 0 && (
          <div class="twin tall" tabIndex={0} role="region" aria-label="Events, newest first">
            <table class="plain log">
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">Event</th>
                  <th scope="col">What</th>
                </tr>
              </thead>
              <tbody>
                {items.map((e) => (
                  <tr key={e.id}>
                    <td class="nowrap">{dateTime(e.at, true)}</td>
                    <td>{e.kind}</td>
                    <td>
                      <Words entry={e} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {log.value?.next && <p class="note">The newest {count(items!.length)} events; older ones are at /api/v1/searches/{search.id}/log.</p>}
      </section>
    </>
  );
}
