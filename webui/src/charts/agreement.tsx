// agreement: each architecture by its known accuracy (across) and the supernet's score (up). Those that are truly among
// the best tenth are squares of another colour: a supernet is asked to find these.
import { percent } from "../format";
import { linear, ticks, useWidth } from "./svg";

export interface Known {
  code: string;
  truth: number; // in the unit it was given in
  accuracy: number;
}

const LEFT = 78;
const BOTTOM = 42;
const SIZE = 3.4;

export function trueBest(items: Known[]): number {
  const sorted = items.map((i) => i.truth).sort((a, b) => b - a);
  return sorted[Math.max(1, Math.round(sorted.length / 10)) - 1];
}

export function Agreement({ items, height, onPick }: { items: Known[]; height: number; onPick: (code: string) => void }) {
  const [host, width] = useWidth<HTMLDivElement>();
  const ends = (values: number[]): [number, number] => {
    const [lo, hi] = [Math.min(...values), Math.max(...values)];
    const room = (hi - lo || 0.01) * 0.04;
    return [lo - room, hi + room];
  };
  const [x0, x1] = ends(items.map((i) => i.truth));
  const [y0, y1] = ends(items.map((i) => i.accuracy));
  const right = Math.max(LEFT + 60, width - 16);
  const x = linear([x0, x1], [LEFT, right]);
  const y = linear([y0, y1], [height - BOTTOM, 10]);
  const best = trueBest(items);
  return (
    <div ref={host}>
      {width > 0 && (
        <svg class="drawn agreement" width={width} height={height} role="img" aria-label={`Score against known accuracy of ${items.length} architectures. The Table button lists them.`}>
          {ticks(y0, y1, 5).map((t) => (
            <g>
              <line class="grid" x1={LEFT} x2={right} y1={y(t)} y2={y(t)} />
              <text class="tick end" x={LEFT - 7} y={y(t) + 4}>
                {percent(t, 1)}
              </text>
            </g>
          ))}
          {ticks(x0, x1, Math.max(2, Math.floor(width / 110))).map((t) => (
            <g>
              <line class="grid" x1={x(t)} x2={x(t)} y1={10} y2={height - BOTTOM} />
              <text class="tick middle" x={x(t)} y={height - BOTTOM + 18}>
                {t}
              </text>
            </g>
          ))}
          <text class="tick middle" x={(LEFT + right) / 2} y={height - 5}>
            Known accuracy
          </text>
          <text class="tick middle" transform={`translate(14 ${(height - BOTTOM) / 2}) rotate(-90)`}>
            Supernet score
          </text>
          {items.map((i) => {
            const [cx, cy] = [x(i.truth), y(i.accuracy)];
            const shape =
              i.truth >= best ? <rect class="known top" x={cx - SIZE} y={cy - SIZE} width={2 * SIZE} height={2 * SIZE} /> : <circle class="known" cx={cx} cy={cy} r={SIZE} />;
            return (
              <g key={i.code} onClick={() => onPick(i.code)}>
                {shape}
                <title>{`${i.code}: score ${percent(i.accuracy)}, known ${i.truth}`}</title>
              </g>
            );
          })}
        </svg>
      )}
    </div>
  );
}
