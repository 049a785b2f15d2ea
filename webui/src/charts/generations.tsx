// generations: how an evolution moved: the middle half of each generation as a band, its median, and its best.
import type { Generation } from "../api/types";
import { percent } from "../format";
import { linear, ticks, useWidth } from "./svg";

const LEFT = 62;
const BOTTOM = 40;

export function Generations({ items, height }: { items: Generation[]; height: number }) {
  const [host, width] = useWidth<HTMLDivElement>();
  const known = items.filter((g) => g.best != null);
  const lo = Math.min(...known.map((g) => g.worst!));
  const hi = Math.max(...known.map((g) => g.best!));
  const room = (hi - lo || 0.01) * 0.06;
  const first = known[0]?.generation ?? 0;
  const last = known[known.length - 1]?.generation ?? 1;
  const x = linear([first - 0.5, last + 0.5], [LEFT, Math.max(LEFT + 40, width - 14)]);
  const y = linear([lo - room, hi + room], [height - BOTTOM, 10]);
  const line = (of: (g: Generation) => number) => known.map((g) => `${x(g.generation).toFixed(1)},${y(of(g)).toFixed(1)}`).join(" ");
  const half = Math.max(2, Math.min(10, (x(first + 1) - x(first)) * 0.3));
  return (
    <div ref={host}>
      {width > 0 && (
        <svg class="drawn generations" width={width} height={height} role="img" aria-label={`Accuracy over ${known.length} generations. The Table button lists them.`}>
          {ticks(lo - room, hi + room, 5).map((t) => (
            <g>
              <line class="grid" x1={LEFT} x2={width - 14} y1={y(t)} y2={y(t)} />
              <text class="tick end" x={LEFT - 7} y={y(t) + 4}>
                {percent(t, 1)}
              </text>
            </g>
          ))}
          {known.map((g) => (
            <g>
              <title>{`Generation ${g.generation}: best ${percent(g.best)}, median ${percent(g.median)}, worst ${percent(g.worst)} of ${g.n}`}</title>
              <line class="whisker" x1={x(g.generation)} x2={x(g.generation)} y1={y(g.worst!)} y2={y(g.best!)} />
              <rect class="box" x={x(g.generation) - half} width={2 * half} y={y(g.q3!)} height={Math.max(1, y(g.q1!) - y(g.q3!))} rx={2} />
              <line class="median" x1={x(g.generation) - half} x2={x(g.generation) + half} y1={y(g.median!)} y2={y(g.median!)} />
            </g>
          ))}
          <polyline class="best" points={line((g) => g.best!)} />
          {known.map((g) => (
            <circle class="best-dot" cx={x(g.generation)} cy={y(g.best!)} r={3} />
          ))}
          {ticks(first, last, Math.min(12, Math.max(1, last - first)))
            .filter((t) => Number.isInteger(t))
            .map((t) => (
              <text class="tick middle" x={x(t)} y={height - BOTTOM + 18}>
                {t}
              </text>
            ))}
          <text class="tick middle" x={(LEFT + width - 14) / 2} y={height - 6}>
            Generation
          </text>
        </svg>
      )}
    </div>
  );
}
