// overview: the charts of a search above its ranking.
import { api } from "../../api/client";
import type { Search } from "../../api/types";
import { BestSoFar, type Over } from "../../charts/best";
import { Scatter } from "../../charts/scatter";
import { dateTime, percent, plural } from "../../format";
import { Failure } from "../../parts/basics";
import { Figure } from "../../parts/figure";
import { route, setQuery } from "../../router";
import { useNow, useResource } from "../../state/use";
import { Ranking } from "./ranking";

type Cost = "macs" | "params";
const MANY = 20_000; // above this the coordinator's bins are drawn
const HEIGHT = 300;

function Segments<V extends string>(props: { label: string; value: V; options: [V, string][]; onPick: (v: V) => void }) {
  return (
    <div class="segments small" role="group" aria-label={props.label}>
      {props.options.map(([value, label]) => (
        <button type="button" aria-pressed={value === props.value} onClick={() => props.onPick(value)}>
          {label}
        </button>
      ))}
    </div>
  );
}

function Blank() {
  return <p class="blank">Nothing is scored yet</p>;
}

function CostFigure({ search }: { search: Search }) {
  const { query } = route.value;
  const cost: Cost = query.get("cost") === "params" ? "params" : "macs";
  const many = search.progress.scored > MANY;
  const loaded = useResource(
    `scatter/${search.id}/${cost}/${many}`,
    async (s) => {
      const [points, front, density] = await Promise.all([
        api.points(search.id, cost, s),
        api.pareto(search.id, cost, s),
        many ? api.density(search.id, cost, s) : undefined,
      ]);
      return { points, front: front.items, density };
    },
    { when: (c) => c.searches.has(search.id), everyMs: many ? 5000 : 1500 },
  );
  const { points, front = [], density } = loaded.value ?? {};
  const label = cost === "macs" ? "MACs" : "Parameters";
  return (
    <Figure
      title={`Accuracy against ${cost === "macs" ? "MACs" : "parameters"}`}
      name={`search-${search.id}-${cost}`}
      about={
        points && points.total > 0 ? (
          <>
            {plural(points.total, "architecture")}, <span class="ink-front">{front.length} on the Pareto front</span>. Drag to zoom,
            double-click to see all, click a point to open it.
          </>
        ) : (
          "Points appear as soon as the first architectures are scored."
        )
      }
      controls={
        <Segments
          label="Cost"
          value={cost}
          options={[
            ["macs", "MACs"],
            ["params", "Parameters"],
          ]}
          onPick={(v) => setQuery({ cost: v === "macs" ? null : v })}
        />
      }
      twin={() => ({
        columns: ["Architecture", label, "Accuracy", "On the front"],
        rows: (points?.code ?? [])
          .map((code, i): [string, number, number, string] => [code, points!.x[i], points!.y[i], front.some((f) => f.code === code) ? "yes" : ""])
          .sort((a, b) => b[2] - a[2]),
      })}
    >
      {loaded.error && !loaded.value ? (
        <Failure problem={loaded.error} retry={loaded.reload} />
      ) : points?.total === 0 ? (
        <Blank />
      ) : (
        <Scatter
          points={points}
          front={front}
          density={density}
          cost={cost}
          xLabel={label}
          height={HEIGHT}
          selected={query.get("code") ?? undefined}
          onPick={(code) => setQuery({ code }, true)}
        />
      )}
    </Figure>
  );
}

function BestFigure({ search }: { search: Search }) {
  const over: Over = route.value.query.get("over") === "time" ? "time" : "evaluations";
  const now = useNow(5000);
  const history = useResource(`history/${search.id}`, (s) => api.history(search.id, s), {
    when: (c) => c.searches.has(search.id),
    everyMs: 1500,
  });
  const items = history.value?.items ?? [];
  const last = items[items.length - 1];
  const until = search.finished ?? (search.state === "running" ? now : (last?.at ?? search.created));
  return (
    <Figure
      title="Best so far"
      name={`search-${search.id}-best`}
      about={
        last
          ? `${percent(last.accuracy)} since evaluation ${last.n}; the best changed ${plural(items.length, "time")}.`
          : "The staircase starts with the first score."
      }
      controls={
        <Segments
          label="Horizontal axis"
          value={over}
          options={[
            ["evaluations", "Evaluations"],
            ["time", "Time"],
          ]}
          onPick={(v) => setQuery({ over: v === "evaluations" ? null : v })}
        />
      }
      twin={() => ({
        columns: ["Evaluation", "When", "Architecture", "Accuracy"],
        rows: items.map((i) => [i.n, dateTime(i.at), i.code, i.accuracy]),
      })}
    >
      {history.error && !history.value ? (
        <Failure problem={history.error} retry={history.reload} />
      ) : history.value && !last ? (
        <Blank />
      ) : (
        <BestSoFar items={items} scored={search.progress.scored} started={search.created} until={until} over={over} height={HEIGHT} />
      )}
    </Figure>
  );
}

export function Overview({ search }: { search: Search }) {
  return (
    <>
      <div class="charts">
        <CostFigure search={search} />
        <BestFigure search={search} />
      </div>
      <Ranking search={search} />
    </>
  );
}
