// coefficient: one correlation with its 95 % interval on the axis from -1 to 1.
import type { Interval } from "../api/types";
import { fixed } from "../format";

export function Coefficient({ of, name, strong }: { of: Interval | undefined; name: string; strong?: boolean }) {
  const value = of?.value;
  if (value == null) return <span class="muted">–</span>;
  const at = (v: number) => 100 * (Math.max(-1, Math.min(1, v)) + 1);
  const lo = of?.lo;
  const hi = of?.hi;
  const range = lo != null && hi != null ? `, 95 % interval ${fixed(lo)} to ${fixed(hi)}` : "";
  return (
    <div class={`coefficient ${strong ? "strong" : ""}`}>
      <span class="value">{fixed(value)}</span>
      <svg viewBox="0 0 200 16" preserveAspectRatio="none" role="img" aria-label={`${name} ${fixed(value)}${range}`}>
        <line class="axis" x1={0} x2={200} y1={8} y2={8} />
        <line class="zero" x1={100} x2={100} y1={2} y2={14} />
        {lo != null && hi != null && <line class="range" x1={at(lo)} x2={at(hi)} y1={8} y2={8} />}
        <line class="point" x1={at(value)} x2={at(value)} y1={2} y2={14} />
      </svg>
      <span class="between">{lo != null && hi != null ? `${fixed(lo, 2)} … ${fixed(hi, 2)}` : ""}</span>
    </div>
  );
}
