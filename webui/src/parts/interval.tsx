// interval: an accuracy with its 95 % interval on a shared axis; the pale band is the interval of the best, so that a
// reader sees at once which rows the measurement can tell from it.
export interface Axis {
  lo: number;
  hi: number;
}

export function axisOf(values: (number | null | undefined)[]): Axis {
  let lo = 1;
  let hi = 0;
  for (const v of values) {
    if (v == null) continue;
    lo = Math.min(lo, v);
    hi = Math.max(hi, v);
  }
  if (lo > hi) return { lo: 0, hi: 1 };
  const step = hi - lo > 0.25 ? 0.1 : 0.05;
  return { lo: Math.max(0, Math.floor(lo / step - 1e-9) * step), hi: Math.min(1, Math.ceil(hi / step + 1e-9) * step) };
}

export function Interval(props: { value: number; ci: [number, number] | null; band?: [number, number] | null; axis: Axis }) {
  const { axis, ci, band } = props;
  const at = (v: number) => 2 + (96 * (Math.min(axis.hi, Math.max(axis.lo, v)) - axis.lo)) / (axis.hi - axis.lo || 1);
  const level = 8;
  return (
    <svg class="interval" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">
      {band && <rect class="band" x={at(band[0])} y={0} width={Math.max(0.5, at(band[1]) - at(band[0]))} height={16} />}
      <line class="axis" x1={2} x2={98} y1={level} y2={level} />
      {ci && <line class="range" x1={at(ci[0])} x2={at(ci[1])} y1={level} y2={level} />}
      <line class="value" x1={at(props.value)} x2={at(props.value)} y1={3} y2={13} />
    </svg>
  );
}
