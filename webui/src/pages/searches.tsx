// searches: every search with what it has reached, newest first.
import { api } from "../api/client";
import type { Search } from "../api/types";
import { count, dateTime, duration, percent, rate, si } from "../format";
import { Bar, Empty, Failure, Pending, StateBadge } from "../parts/basics";
import { go, route, setQuery } from "../router";
import { hidden } from "../state/deletions";
import { maySubmit } from "../state/session";
import { useResource } from "../state/use";

const filters = ["all", "running", "paused", "done", "failed", "cancelled"] as const;

function Progress({ search }: { search: Search }) {
  const { scored, expected, failed } = search.progress;
  return (
    <div class="progress">
      <Bar value={scored + failed} of={expected} label={`Progress of ${search.name}`} />
      <span class="muted">
        {count(scored)}
        {expected != null && ` of ${count(expected)}`}
        {failed > 0 && <span class="bad"> · {count(failed)} failed</span>}
      </span>
    </div>
  );
}

function Row({ search }: { search: Search }) {
  const to = `/searches/${search.id}`;
  const running = search.state === "running";
  return (
    <tr onClick={(e) => !(e.target as Element).closest("a") && go(to)}>
      <td class="name">
        <a href={to}>{search.name}</a>
        <span class="muted sub">
          {search.strategy.name}
          {search.owner ? ` · ${search.owner}` : ""}
          {(search.tags ?? []).map((t) => (
            <span class="tag">{t}</span>
          ))}
        </span>
        {search.notes && (
          <span class="muted sub first-line" title={search.notes}>
            {firstLine(search.notes)}
          </span>
        )}
      </td>
      <td data-label="State">
        <StateBadge state={search.state} />
      </td>
      <td data-label="Progress" class="wide">
        <Progress search={search} />
      </td>
      <td data-label="Best" class="num">
        {search.best?.accuracy != null ? (
          <>
            <strong>{percent(search.best.accuracy)}</strong>
            <span class="muted sub">
              <code class="ellipsis code-short" title={search.best.code}>
                {search.best.code}
              </code>
            </span>
          </>
        ) : (
          <span class="muted">nothing scored yet</span>
        )}
      </td>
      <td data-label="MACs of the best" class="num">
        {search.best?.macs != null ? si(search.best.macs) : "–"}
      </td>
      <td data-label="Rate" class="num">
        {running ? rate(search.rate?.per_s) : "–"}
      </td>
      <td data-label="Time left" class="num">
        {running ? duration(search.eta_s) : "–"}
      </td>
      <td data-label="Created" class="num muted">
        {dateTime(search.created)}
      </td>
    </tr>
  );
}

function FirstSteps() {
  return (
    <Empty title="No search yet">
      <p>A search ranks the architectures of one supernet. It needs four things, in this order:</p>
      <ol>
        <li>
          a <a href="/library/spaces">search space</a>: the document that names the decisions,
        </li>
        <li>
          a <a href="/library/checkpoints">checkpoint</a>: the supernet’s trained weights,
        </li>
        <li>
          a <a href="/library/datasets">data set</a> to calibrate and score on,
        </li>
        <li>
          at least one <a href="/workers">worker</a> to do the computing.
        </li>
      </ol>
      {maySubmit.value && (
        <a class="button primary" href="/searches/new">
          New search
        </a>
      )}
    </Empty>
  );
}

// Of notes in Markdown, without its signs.
function firstLine(notes: string): string {
  return (notes.split("\n").find((line) => line.trim()) ?? "").replace(/^[#>*\s-]+|[*`]/g, "");
}

export function Searches() {
  const state = route.value.query.get("state") ?? "all";
  const text = route.value.query.get("q") ?? "";
  const searches = useResource("searches", (s) => api.searches(s), {
    when: (c) => c.kinds.has("search") || c.kinds.has("score"),
    everyMs: 1000,
  });
  const all = (searches.value ?? []).filter((s) => !hidden.value.has(s.id));
  const needle = text.toLowerCase();
  const shown = all.filter(
    (s) =>
      (state === "all" || s.state === state) &&
      (!needle || `${s.name} ${s.owner ?? ""} ${(s.tags ?? []).join(" ")}`.toLowerCase().includes(needle)),
  );
  return (
    <>
      <div class="page-head">
        <h1>Searches</h1>
        <span class="grow" />
        {maySubmit.value && (
          <a class="button primary" href="/searches/new">
            New search
          </a>
        )}
      </div>
      {!searches.value ? (
        <Pending what="searches" error={searches.error} reload={searches.reload} />
      ) : all.length === 0 ? (
        <FirstSteps />
      ) : (
        <>
          {searches.error && <Failure problem={searches.error} />}
          <div class="filters">
            <div class="segments" role="group" aria-label="State">
              {filters.map((f) => {
                const n = f === "all" ? all.length : all.filter((s) => s.state === f).length;
                if (!n && f !== state) return null;
                return (
                  <button type="button" aria-pressed={f === state} onClick={() => setQuery({ state: f === "all" ? null : f })}>
                    {f[0].toUpperCase() + f.slice(1)} <span class="muted">{n}</span>
                  </button>
                );
              })}
            </div>
            <input
              type="search"
              placeholder="Name, owner or tag"
              aria-label="Find by name, owner or tag"
              value={text}
              onInput={(e) => setQuery({ q: e.currentTarget.value })}
            />
          </div>
          <div class="panel flush">
            <table class="list rows-link cards-narrow">
              <thead>
                <tr>
                  <th scope="col">Search</th>
                  <th scope="col">State</th>
                  <th scope="col">Progress</th>
                  <th scope="col" class="num">
                    Best
                  </th>
                  <th scope="col" class="num">
                    MACs
                  </th>
                  <th scope="col" class="num">
                    Rate
                  </th>
                  <th scope="col" class="num">
                    Time left
                  </th>
                  <th scope="col" class="num">
                    Created
                  </th>
                </tr>
              </thead>
              <tbody>
                {shown.map((s) => (
                  <Row key={s.id} search={s} />
                ))}
              </tbody>
            </table>
            {shown.length === 0 && <p class="note">No search matches. Clear the filter to see all {all.length}.</p>}
          </div>
        </>
      )}
    </>
  );
}
