// compare: several searches on the same axes: how fast they found what, their fronts, what they agree on. The address
// names them (?searches=1,2), so that a comparison can be sent to someone.
import { api } from "../api/client";
import type { Candidate, History, Search } from "../api/types";
import { Staircase, Swatch, type Stair } from "../charts/staircase";
import { count, percent, si } from "../format";
import { Empty, Failure, Loading, Pending, StateBadge } from "../parts/basics";
import { Check } from "../parts/form";
import { Figure } from "../parts/figure";
import { axisOf, Interval } from "../parts/interval";
import { Segments } from "../parts/segments";
import { policyWords, speed } from "../parts/words";
import { route, setQuery } from "../router";
import { useResource } from "../state/use";

const MOST = 6;
const TOP = 100;
const HEIGHT = 320;

interface Side {
  search: Search;
  history: History["items"];
  front: Candidate[];
  top: Set<string>;
  index: number;
}

function Picker({ all, picked }: { all: Search[]; picked: number[] }) {
  const toggle = (id: number, on: boolean) => setQuery({ searches: (on ? [...picked, id] : picked.filter((p) => p !== id)).join(",") });
  return (
    <fieldset class="panel picker">
      <legend class="sr">Searches to compare</legend>
      {all.map((s) => (
        <span key={s.id} class="pick-line">
          <Check label={s.name} checked={picked.includes(s.id)} onChange={(on) => toggle(s.id, on)} />
          {picked.includes(s.id) && <Swatch index={picked.indexOf(s.id)} />}
        </span>
      ))}
      {picked.length >= MOST && <p class="note">At most {MOST} are drawn.</p>}
    </fieldset>
  );
}

function overlap(a: Set<string>, b: Set<string>): number {
  let n = 0;
  for (const code of a) n += b.has(code) ? 1 : 0;
  return n;
}

function Facts({ sides }: { sides: Side[] }) {
  const axis = axisOf(sides.flatMap((s) => s.search.best?.ci ?? []));
  return (
    <section class="panel flush">
      <table class="list cards-narrow">
        <thead>
          <tr>
            <th scope="col">Search</th>
            <th scope="col">State</th>
            <th scope="col">Strategy</th>
            <th scope="col">Calibration</th>
            <th scope="col" class="num">
              Scored
            </th>
            <th scope="col" class="num">
              Best
            </th>
            <th scope="col">{`${percent(axis.lo, 0)} to ${percent(axis.hi, 0)}`}</th>
            <th scope="col" class="num">
              MACs
            </th>
            <th scope="col" class="num">
              Rate
            </th>
            <th scope="col" class="num">
              Best {TOP} shared
            </th>
          </tr>
        </thead>
        <tbody>
          {sides.map(({ search: s, top, index }) => (
            <tr key={s.id}>
              <td class="name">
                <Swatch index={index} /> <a href={`/searches/${s.id}`}>{s.name}</a>
              </td>
              <td data-label="State">
                <StateBadge state={s.state} />
              </td>
              <td data-label="Strategy">{s.strategy.name}</td>
              <td data-label="Calibration">{policyWords(s)}</td>
              <td data-label="Scored" class="num">
                {count(s.progress.scored)}
              </td>
              <td data-label="Best" class="num">
                <strong>{percent(s.best?.accuracy)}</strong>
              </td>
              <td data-label="95 % interval">{s.best?.accuracy != null && <Interval value={s.best.accuracy} ci={s.best.ci} axis={axis} />}</td>
              <td data-label="MACs" class="num">
                {si(s.best?.macs)}
              </td>
              <td data-label="Rate" class="num">
                {speed(s)}
              </td>
              <td data-label={`Best ${TOP} shared`} class="num">
                {index === 0 ? <span class="muted">the first</span> : sides[0].search.space === s.space ? `${overlap(sides[0].top, top)} of ${Math.min(sides[0].top.size, top.size)}` : <span class="muted">other space</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Charts({ sides }: { sides: Side[] }) {
  const cost = route.value.query.get("cost") === "params" ? "params" : "macs";
  const over = route.value.query.get("over") === "time" ? "time" : "evaluations";
  const best: Stair[] = sides.map(({ search: s, history, index }) => {
    const points = history.map((h): [number, number] => [over === "time" ? (h.at - s.created) / 1000 : h.n, h.accuracy]);
    const last = points[points.length - 1];
    const end = over === "time" ? ((s.finished ?? Date.now()) - s.created) / 1000 : s.progress.scored;
    if (last && end > last[0]) points.push([end, last[1]]);
    return { name: s.name, points, index };
  });
  const fronts: Stair[] = sides.map(({ search: s, front, index }) => ({
    name: s.name,
    points: front.map((c): [number, number] => [c[cost] ?? 0, c.accuracy ?? 0]),
    index,
  }));
  const twin = (stairs: Stair[], columns: string[]) => ({ columns: ["Search", ...columns], rows: stairs.flatMap((s) => s.points.map(([a, b]) => [s.name, a, b])) });
  const ids = sides.map((s) => s.search.id).join("-");
  return (
    <div class="charts">
      <Figure
        title="Best so far"
        name={`compare-${ids}-best`}
        about="How soon each search found how good an architecture."
        controls={
          <Segments label="Horizontal axis" value={over} options={[["evaluations", "Evaluations"], ["time", "Time"]]} onPick={(v) => setQuery({ over: v === "evaluations" ? null : v })} />
        }
        twin={() => twin(best, [over === "time" ? "Seconds" : "Evaluations", "Best accuracy"])}
      >
        <Staircase stairs={best} height={HEIGHT} xLabel={over === "time" ? "Seconds since the start (powers of ten)" : "Architectures scored (powers of ten)"} yLabel="Best accuracy" log />
      </Figure>
      <Figure
        title={`Fronts over ${cost === "macs" ? "MACs" : "parameters"}`}
        name={`compare-${ids}-fronts`}
        about="The best accuracy each search has at any cost; higher and further left is better."
        controls={<Segments label="Cost" value={cost} options={[["macs", "MACs"], ["params", "Parameters"]]} onPick={(v) => setQuery({ cost: v === "macs" ? null : v })} />}
        twin={() => twin(fronts, [cost === "macs" ? "MACs" : "Parameters", "Accuracy"])}
      >
        <Staircase stairs={fronts} height={HEIGHT} xLabel={cost === "macs" ? "MACs" : "Parameters"} yLabel="Accuracy" />
      </Figure>
    </div>
  );
}

export function Compare() {
  const asked = route.value.query.get("searches") ?? "";
  const cost = route.value.query.get("cost") === "params" ? "params" : "macs";
  const all = useResource("searches", (s) => api.searches(s), { when: (c) => c.kinds.has("search"), everyMs: 2000 });
  const picked = [...new Set(asked.split(",").map(Number))].filter((id) => Number.isInteger(id) && id > 0).slice(0, MOST);
  const key = picked.join(",");
  const sides = useResource(
    key ? `compare/${key}/${cost}` : null,
    (s) =>
      Promise.all(
        picked.map(async (id, index): Promise<Side> => {
          const [search, history, front, top] = await Promise.all([api.search(id, s), api.history(id, s), api.pareto(id, cost, s), api.ranking(id, { limit: TOP }, s)]);
          return { search, history: history.items, front: front.items, top: new Set(top.items.filter((c) => c.status === "scored").map((c) => c.code)), index };
        }),
      ),
    { when: (c) => picked.some((id) => c.searches.has(id)), everyMs: 2000 },
  );
  if (!all.value) return <Pending what="searches" error={all.error} reload={all.reload} />;
  return (
    <>
      <div class="page-head">
        <h1>Compare</h1>
      </div>
      {all.value.length > 0 && <Picker all={all.value} picked={picked} />}
      {!key ? (
        <Empty title={all.value.length ? "Pick the searches to lay side by side" : "There is no search yet"}>
          <p>Strategies, calibration policies or checkpoints: searches over the same space also tell how many of their best architectures they share.</p>
        </Empty>
      ) : sides.value ? (
        <>
          <Facts sides={sides.value} />
          <Charts sides={sides.value} />
        </>
      ) : sides.error ? (
        <Failure problem={sides.error} retry={sides.reload} what="The comparison" />
      ) : (
        <Loading what="the searches" />
      )}
    </>
  );
}
