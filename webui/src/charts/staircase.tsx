// staircase: several searches on the same axes as steps: the best so far over evaluations, or Pareto fronts over a cost.
// Each has a colour and a dash of its own, so that colour is not needed to tell them apart.
import { percent, siAxis } from "../format";
import { linear, ticks, useWidth } from "./svg";

export interface Stair {
  name: string;
  points: [number, number][]; // by rising x
  index: number; // which colour and dash
}

export const STYLES = 6;
const LEFT = 62;
const BOTTOM = 42;

export function Swatch({ index }: { index: number }) {
  return (
    <svg class="swatch" width={30} height={10} aria-hidden="true">
      <line class={`stair stair-${index % STYLES}`} x1={1} x2={29} y1={5} y2={5} />
    </svg>
  );
}

export function Staircase({ stairs, height, xLabel, yLabel, log }: { stairs: Stair[]; height: number; xLabel: string; yLabel: string; log?: boolean }) {
  const [host, width] = useWidth<HTMLDivElement>();
  const all = stairs.flatMap((s) => s.points);
  if (!all.length) return <p class="blank">Nothing is scored yet</p>;
  const f = (v: number) => (log ? Math.log10(Math.max(1, v)) : v);
  const xs = all.map((p) => f(p[0]));
  const ys = all.map((p) => p[1]);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  const room = (y1 - y0 || 0.01) * 0.07;
  const right = Math.max(LEFT + 60, width - 16);
  const x = linear([x0, x1 === x0 ? x0 + 1 : x1], [LEFT, right]);
  const y = linear([y0 - room, y1 + room], [height - BOTTOM, 10]);
  const path = (points: [number, number][]) =>
    points.map(([a, b], i) => (i ? `H${x(f(a)).toFixed(1)}V${y(b).toFixed(1)}` : `M${x(f(a)).toFixed(1)},${y(b).toFixed(1)}`)).join("");
  const marks = log ? ticks(x0, x1, 6).filter((t) => Number.isInteger(t)) : ticks(x0, x1, Math.max(2, Math.floor(width / 110)));
  return (
    <div ref={host}>
      {width > 0 && (
        <svg class="drawn" width={width} height={height} role="img" aria-label={`${yLabel} against ${xLabel} of ${stairs.length} searches. The Table button lists them.`}>
          {ticks(y0 - room, y1 + room, 5).map((t) => (
            <g>
              <line class="grid" x1={LEFT} x2={right} y1={y(t)} y2={y(t)} />
              <text class="tick end" x={LEFT - 7} y={y(t) + 4}>
                {percent(t, 1)}
              </text>
            </g>
          ))}
          {marks.map((t) => (
            <text class="tick middle" x={x(t)} y={height - BOTTOM + 18}>
              {siAxis(log ? 10 ** t : t)}
            </text>
          ))}
          <text class="tick middle" x={(LEFT + right) / 2} y={height - 5}>
            {xLabel}
          </text>
          {stairs.map((s) => (
            <g>
              <path class={`stair stair-${s.index % STYLES}`} d={path(s.points)}>
                <title>{s.name}</title>
              </path>
              {s.points.length < 80 && s.points.map(([a, b]) => <circle class={`stair-dot stair-${s.index % STYLES}`} cx={x(f(a))} cy={y(b)} r={2.6} />)}
            </g>
          ))}
        </svg>
      )}
    </div>
  );
}
