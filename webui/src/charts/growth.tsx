// growth: one correlation of several searches over the number of images they scored on, each with its 95 % interval.
import { count, fixed } from "../format";
import { linear, ticks, useWidth } from "./svg";

export interface Grown {
  name: string;
  images: number;
  value: number;
  lo?: number | null;
  hi?: number | null;
  own: boolean; // the search that is looked at
}

const LEFT = 50;
const BOTTOM = 42;
const NEAR = 46; // pixels between two labels

export function Growth({ items, height, yLabel }: { items: Grown[]; height: number; yLabel: string }) {
  const [host, width] = useWidth<HTMLDivElement>();
  const images = [...new Set(items.map((i) => i.images))].sort((a, b) => a - b);
  const ends = items.flatMap((i) => [i.lo ?? i.value, i.hi ?? i.value]);
  const [lo, hi] = [Math.min(0, ...ends), Math.max(0.1, ...ends)];
  const right = Math.max(LEFT + 60, width - 24);
  const x = linear([Math.log(images[0]), Math.log(images[images.length - 1])], [LEFT + 30, right - 30]);
  const y = linear([lo, hi + 0.04 * (hi - lo)], [height - BOTTOM, 10]);
  // Searches with as many images stand beside each other.
  const place = (item: Grown) => {
    const same = items.filter((i) => i.images === item.images);
    return x(Math.log(item.images)) + 14 * (same.indexOf(item) - (same.length - 1) / 2);
  };
  let last = -NEAR;
  return (
    <div ref={host}>
      {width > 0 && (
        <svg class="drawn growth" width={width} height={height} role="img" aria-label={`${yLabel} of ${items.length} searches against their images. The Table button lists them.`}>
          {ticks(lo, hi, 5).map((t) => (
            <g>
              <line class="grid" x1={LEFT} x2={right} y1={y(t)} y2={y(t)} />
              <text class="tick end" x={LEFT - 7} y={y(t) + 4}>
                {fixed(t, 1)}
              </text>
            </g>
          ))}
          {images.map((n) => {
            const at = x(Math.log(n));
            if (at - last < NEAR) return null;
            last = at;
            return (
              <text class="tick middle" x={at} y={height - BOTTOM + 18}>
                {count(n)}
              </text>
            );
          })}
          <text class="tick middle" x={(LEFT + right) / 2} y={height - 5}>
            Images scored on
          </text>
          {items.map((i) => (
            <g class={i.own ? "grown own" : "grown"}>
              <title>{`${i.name}: ${fixed(i.value)}${i.lo != null && i.hi != null ? `, 95 % interval ${fixed(i.lo)} to ${fixed(i.hi)}` : ""}`}</title>
              {i.lo != null && i.hi != null && <line x1={place(i)} x2={place(i)} y1={y(i.lo)} y2={y(i.hi)} />}
              <circle cx={place(i)} cy={y(i.value)} r={4.5} />
            </g>
          ))}
        </svg>
      )}
    </div>
  );
}
