// heat: how often each option of each decision stands among the best. A column is a decision; its shares sum to one (less
// where the decision has no effect). A dot marks the option that most of the best have.
import type { DecisionImportance } from "../api/types";
import { percent } from "../format";
import { rampClass, shorten, useWidth } from "./svg";

const LEFT = 92;
const TOP = 62;
const ROW = 26;

export function optionRows(items: DecisionImportance[]): string[] {
  const rows: string[] = [];
  for (const item of items) for (const o of item.options) if (!rows.includes(o.option)) rows.push(o.option);
  const numbers = rows.every((r) => r !== "" && Number.isFinite(Number(r)));
  return numbers ? rows.sort((a, b) => Number(a) - Number(b)) : rows;
}

export function Heat({ items, top }: { items: DecisionImportance[]; top: number }) {
  const [host, width] = useWidth<HTMLDivElement>();
  const rows = optionRows(items);
  const column = Math.max(30, Math.min(64, (width - LEFT - 20) / Math.max(1, items.length)));
  const inner = Math.max(width, LEFT + column * items.length + 36);
  return (
    <div class="chart-scroll" ref={host} tabIndex={0} role="group" aria-label="Options among the best">
      {width > 0 && (
        <svg class="drawn heat" width={inner} height={TOP + rows.length * ROW + 8} role="img" aria-label={`Share of each option among the ${top} best, for ${items.length} decisions. The Table button lists them.`}>
          {rows.map((r, j) => (
            <text class="row-name" x={LEFT - 8} y={TOP + j * ROW + ROW / 2 + 4}>
              {shorten(r, 13)}
              <title>{r}</title>
            </text>
          ))}
          {items.map((item, i) => {
            const most = Math.max(...item.options.map((o) => o.top_share ?? 0));
            const mid = LEFT + (i + 0.5) * column;
            return (
              <g>
                <text class="axis-name" x={mid} y={TOP - 7} transform={`rotate(-32 ${mid} ${TOP - 7})`}>
                  {shorten(item.decision, 14)}
                  <title>{item.decision}</title>
                </text>
                {item.options.map((o) => {
                  const j = rows.indexOf(o.option);
                  const share = o.top_share ?? 0;
                  return (
                    <g>
                      <rect class={`cell ${rampClass(share)}`} x={LEFT + i * column + 1} y={TOP + j * ROW + 1} width={column - 2} height={ROW - 2} rx={2}>
                        <title>{`${item.decision} = ${o.option}: ${percent(share, 1)} of the ${top} best`}</title>
                      </rect>
                      {column >= 34 && (
                        <text class={`cell-text ${share >= 6 / 9 ? "on-strong" : ""}`} x={mid} y={TOP + j * ROW + ROW / 2 + 4}>
                          {Math.round(100 * share)}
                        </text>
                      )}
                      {share === most && share > 0 && <rect class="winner" x={LEFT + i * column + 1} y={TOP + j * ROW + 1} width={column - 2} height={ROW - 2} rx={2} />}
                    </g>
                  );
                })}
              </g>
            );
          })}
        </svg>
      )}
    </div>
  );
}
