// overview: the charts of a search above its ranking.
import { useRef } from "preact/hooks";
import { api, type Window } from "../../api/client";
import type { Change } from "../../api/live";
import type { Density, Points, Search } from "../../api/types";
import { BestSoFar, type Over } from "../../charts/best";
import { Scatter } from "../../charts/scatter";
import { dateTime, percent, plural } from "../../format";
import { Button, Failure } from "../../parts/basics";
import { Figure } from "../../parts/figure";
import { Segments } from "../../parts/segments";
import { route, setQuery } from "../../router";
import { useNow, useResource } from "../../state/use";
import { Ranking } from "./ranking";

type Cost = "macs" | "params";
const MANY = 20_000; // above this the coordinator's bins are drawn
const FEW = 4000; // and points again in a zoomed view that holds no more
const HEIGHT = 300;

function Blank() {
  return <p class="blank">Nothing is scored yet</p>;
}

function readWindow(text: string | null): Window | undefined {
  const v = (text ?? "").split("_").map(Number);
  if (!text || v.length !== 4 || !v.every(Number.isFinite)) return undefined;
  return { x_min: v[0], x_max: v[1], y_min: v[2], y_max: v[3] };
}

function none(total: number): Points {
  return { total, code: [], x: [], y: [] };
}

// A million points are counted in bins by the coordinator; points come only where a zoomed view holds few.
async function cloud(search: number, cost: Cost, many: boolean, window: Window | undefined, s: AbortSignal): Promise<{ points: Points; density?: Density; part?: boolean }> {
  if (!many) return { points: await api.points(search, cost, s) };
  const density = await api.density(search, cost, s, window);
  const total = density.counts.reduce((sum, n) => sum + n, 0);
  if (window && total > 0 && total <= FEW) return { points: await api.points(search, cost, s, window), part: true };
  return { points: none(total), density, part: Boolean(window) };
}

function densityTwin(d: Density, label: string) {
  const [nx, ny] = d.bins;
  const w = (d.x[1] - d.x[0]) / nx;
  const h = (d.y[1] - d.y[0]) / ny;
  const rows = d.counts.map((c, i): [number, number, number] => [d.x[0] + ((i % nx) + 0.5) * w, d.y[0] + (Math.floor(i / nx) + 0.5) * h, c]);
  return { columns: [`${label} (middle of the bin)`, "Accuracy (middle of the bin)", "Architectures"], rows: rows.filter((r) => r[2]).sort((a, b) => b[2] - a[2]) };
}

function CostFigure({ search }: { search: Search }) {
  const { query } = route.value;
  const cost: Cost = query.get("cost") === "params" ? "params" : "macs";
  const many = search.progress.scored > MANY;
  const zoom = query.get("zoom");
  const window = readWindow(zoom);
  const watch = { when: (c: Change) => c.searches.has(search.id), everyMs: many ? 5000 : 1500 };
  const pareto = useResource(`front/${search.id}/${cost}`, async (s) => (await api.pareto(search.id, cost, s)).items, watch);
  const loaded = useResource(`scatter/${search.id}/${cost}/${many}/${many ? zoom : ""}`, (s) => cloud(search.id, cost, many, window, s), watch);
  // The old view stays until the new one is there: a zoom redraws at once what is known.
  const last = useRef(loaded.value);
  if (loaded.value) last.current = loaded.value;
  const { points, density, part } = loaded.value ?? last.current ?? {};
  const front = pareto.value ?? [];
  const label = cost === "macs" ? "MACs" : "Parameters";
  return (
    <Figure
      title={`Accuracy against ${cost === "macs" ? "MACs" : "parameters"}`}
      name={`search-${search.id}-${cost}`}
      about={
        points && points.total > 0 ? (
          <>
            {plural(points.total, "architecture")}
            {part ? " in this view" : ""}, <span class="ink-front">{front.length} on the Pareto front</span>. Drag to zoom,
            double-click to see all, click a point to open it.{many && density ? " Shades count architectures; zoom in until points appear." : ""}
          </>
        ) : (
          "Points appear as soon as the first architectures are scored."
        )
      }
      controls={
        <>
          {window && (
            <Button small onClick={() => setQuery({ zoom: null })}>
              See all
            </Button>
          )}
          <Segments
            label="Cost"
            value={cost}
            options={[
              ["macs", "MACs"],
              ["params", "Parameters"],
            ]}
            onPick={(v) => setQuery({ cost: v === "macs" ? null : v, zoom: null })}
          />
        </>
      }
      twin={() => density ? densityTwin(density, label) : ({
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
          window={window}
          onZoom={(w) => setQuery({ zoom: w && [w.x_min, w.x_max, w.y_min, w.y_max].join("_") })}
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
