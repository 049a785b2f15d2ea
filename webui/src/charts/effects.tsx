// effects: how much of the variance each decision explains, as bars; and under each decision the mean accuracy of its
// options with 95 % intervals, all on one axis, so that a reader sees which choices matter and which way.
import type { DecisionImportance } from "../api/types";
import { percent } from "../format";
import { linear, shorten, ticks, useWidth } from "./svg";

const LEFT = 104;
const BAR = 22;

export function ImportanceBars({ items, onPick, picked }: { items: DecisionImportance[]; picked?: string; onPick: (decision: string) => void }) {
  const [host, width] = useWidth<HTMLDivElement>();
  const most = Math.max(1e-9, ...items.map((i) => i.importance));
  const sorted = [...items].sort((a, b) => b.importance - a.importance);
  const x = linear([0, most], [0, Math.max(10, width - LEFT - 64)]);
  return (
    <div class="chart-scroll tall" ref={host} tabIndex={0} role="group" aria-label="Importance of each decision">
      {width > 0 && (
        <svg class="drawn bars" width={width} height={sorted.length * BAR + 4}>
          {sorted.map((item, i) => (
            <g
              class={`bar-row ${item.decision === picked ? "picked" : ""}`}
              role="button"
              tabindex={0}
              aria-pressed={item.decision === picked}
              aria-label={`${item.decision} explains ${percent(item.importance, 1)} of the variance; show its options`}
              onClick={() => onPick(item.decision)}
              onKeyDown={(e) => (e.key === "Enter" || e.key === " ") && (e.preventDefault(), onPick(item.decision))}
            >
              <rect class="hit" x={0} y={i * BAR} width={width} height={BAR} />
              <text class="row-name" x={LEFT - 8} y={i * BAR + 15}>
                {shorten(item.decision, 15)}
                <title>{item.decision}</title>
              </text>
              <rect class="fill" x={LEFT} y={i * BAR + 4} width={Math.max(1, x(item.importance))} height={BAR - 8} rx={2} />
              <text class="tick" x={LEFT + x(item.importance) + 6} y={i * BAR + 15}>
                {percent(item.importance, 1)}
              </text>
            </g>
          ))}
        </svg>
      )}
    </div>
  );
}

export function OptionMeans({ items }: { items: DecisionImportance[] }) {
  const [host, width] = useWidth<HTMLDivElement>();
  const values = items.flatMap((i) => i.options.flatMap((o) => (o.n ? [o.lo ?? o.mean!, o.hi ?? o.mean!] : [])));
  const lo = Math.min(...values);
  const hi = Math.max(...values);
  if (!values.length) return <p class="blank">Nothing is scored yet</p>;
  const room = (hi - lo || 0.01) * 0.05;
  const x = linear([lo - room, hi + room], [LEFT, Math.max(LEFT + 20, width - 14)]);
  let y = 6;
  const rows = items.map((item) => {
    const top = y;
    y += 20 + 18 * item.options.length + 8;
    return { item, top };
  });
  return (
    <div class="chart-scroll tall" ref={host} tabIndex={0} role="group" aria-label="Mean accuracy of every option">
      {width > 0 && (
        <svg class="drawn means" width={width} height={y + 24} role="img" aria-label="Mean accuracy of every option with 95 % intervals. The Table button lists them.">
          {ticks(lo - room, hi + room, Math.max(2, Math.floor(width / 110))).map((t) => (
            <g>
              <line class="grid" x1={x(t)} x2={x(t)} y1={4} y2={y} />
              <text class="tick middle" x={x(t)} y={y + 14}>
                {percent(t, 1)}
              </text>
            </g>
          ))}
          {rows.map(({ item, top }) => (
            <g>
              <text class="group-name" x={4} y={top + 13}>
                {item.decision}
              </text>
              {item.options.map((o, i) => {
                const at = top + 28 + 18 * i;
                return (
                  <g>
                    <text class="row-name" x={LEFT - 8} y={at + 4}>
                      {shorten(o.option, 14)}
                      <title>{o.option}</title>
                    </text>
                    {o.n > 0 && o.mean != null && (
                      <>
                        {o.lo != null && o.hi != null && <line class="range" x1={x(o.lo)} x2={x(o.hi)} y1={at} y2={at} />}
                        <circle class="mean" cx={x(o.mean)} cy={at} r={4}>
                          <title>{`${item.decision} = ${o.option}: mean ${percent(o.mean)} of ${o.n}`}</title>
                        </circle>
                      </>
                    )}
                  </g>
                );
              })}
            </g>
          ))}
        </svg>
      )}
    </div>
  );
}
