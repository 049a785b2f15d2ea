// best: the best accuracy so far, over the number of evaluations or over time. A staircase: it only ever goes up.
import type uPlot from "uplot";
import { useMemo } from "preact/hooks";
import type { History } from "../api/types";
import { percent, siAxis } from "../format";
import { axis, Plot } from "./plot";

// Seconds on an axis.
function short(s: number): string {
  if (s < 120) return `${+s.toFixed(1)} s`;
  if (s < 7200) return `${+(s / 60).toFixed(1)} min`;
  return `${+(s / 3600).toFixed(1)} h`;
}

export type Over = "evaluations" | "time";

export function BestSoFar(props: { items: History["items"]; scored: number; started: number; until: number; over: Over; height: number }) {
  const { items, scored, started, until, over } = props;
  const data = useMemo<uPlot.AlignedData>(() => {
    const xs = items.map((i) => (over === "evaluations" ? i.n : (i.at - started) / 1000));
    const ys = items.map((i) => i.accuracy);
    const end = over === "evaluations" ? scored : (until - started) / 1000;
    if (xs.length && end > xs[xs.length - 1]) {
      xs.push(end);
      ys.push(ys[ys.length - 1]);
    }
    return [xs, ys];
  }, [items, scored, over, until]);
  const last = items[items.length - 1];
  return (
    <Plot
      label={`Best accuracy so far: ${last ? `${percent(last.accuracy)} after ${last.n} evaluations` : "nothing scored yet"}.`}
      height={props.height}
      data={data}
      buildKey={over}
      build={(lib, ink, size) => ({
        ...size,
        padding: [12, 14, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: true, y: false } },
        scales: {
          x: { time: false },
          y: {
            range: (_u, lo, hi) => {
              if (lo == null || hi == null) return [0, 1];
              const room = (hi - lo || 0.02) * 0.12;
              return [lo - room, hi + room];
            },
          },
        },
        series: [
          {},
          {
            stroke: ink.best,
            width: 2,
            paths: lib.paths.stepped!({ align: 1 }),
            points: { show: items.length < 60, size: 6, fill: ink.best, stroke: ink.surface },
          },
        ],
        axes: [
          over === "evaluations" ? axis(ink, "Architectures scored", siAxis, { size: 36 }) : axis(ink, "Since the start", short, { size: 36 }),
          axis(ink, "Best accuracy", (v) => `${+(100 * v).toFixed(2)} %`, { size: 62 }),
        ],
      })}
    />
  );
}
