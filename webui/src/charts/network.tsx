// network: one architecture, or a whole space, drawn from top to bottom. A row is a place in the network: a decision with
// its options, the chosen one filled and the others faint, or a fixed part. A line runs through what was chosen; on the
// right are what it computes, the shape that comes out, and its share of the cost.
import type { Decision, Plan, PlanOp, Space } from "../api/types";
import { si } from "../format";
import { linear, shorten, useWidth } from "./svg";

export interface Place {
  name: string;
  decision?: Decision;
  chosen?: string; // undefined: the decision has no effect
  ops: PlanOp[];
}

type Placed = Decision & { path?: string };

function under(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}.`);
}

// The stage of a fixed part: its first word, with the number that follows.
function stageOf(path: string): string {
  return /^[^.]+(?:\.\d+(?=\.))?/.exec(path)?.[0] ?? "";
}

// The rows in the order of the network; decisions without a place of their own come first.
export function placesOf(space: Space, plan: Plan): Place[] {
  const decisions = space.decisions as Placed[];
  const active = (plan.active ?? {}) as Record<string, string>;
  const row = (d: Placed): Place => ({ name: d.name, decision: d, chosen: active[d.name], ops: [] });
  const rows: (Place & { key: string })[] = [];
  for (const op of plan.ops) {
    const path = op.path ?? "";
    let key = stageOf(path);
    let best = -1;
    for (const d of decisions) {
      if (d.path && under(path, d.path) && d.path.length > best) {
        key = d.path;
        best = d.path.length;
      }
    }
    const last = rows[rows.length - 1];
    if (last && (last.key === key || (!path && op.op !== "input" && rows.length > 1))) last.ops.push(op);
    else rows.push({ key, name: key || op.op, ops: [op] });
  }
  const placed: Place[] = decisions.filter((d) => !d.path).map(row);
  const done = new Set<Placed>();
  const flush = (upto: number) => {
    // Decisions that compute nothing (an identity) stand where the document has them.
    for (let i = 0; i < upto; i++) {
      const d = decisions[i];
      if (d.path && !done.has(d)) {
        done.add(d);
        placed.push(row(d));
      }
    }
  };
  for (const r of rows) {
    const mine = decisions.filter((d) => d.path === r.key && !done.has(d));
    if (!mine.length) {
      if (done.size) flush(earlier(decisions, plan, r.ops[0]));
      placed.push({ name: r.name, ops: r.ops });
      continue;
    }
    flush(decisions.indexOf(mine[0]));
    mine.forEach((d, i) => {
      done.add(d);
      placed.push({ ...row(d), ops: i === mine.length - 1 ? r.ops : [] });
    });
  }
  flush(decisions.length);
  return placed;
}

interface Stage {
  path: string;
  out: number[];
  macs: number;
  params: number;
  block?: string;
}

// The same for a space of which no architecture is chosen: its stages with the shapes and costs of the largest.
export function placesOfSpace(space: Space): Place[] {
  const decisions = space.decisions as Placed[];
  const place = (d: Placed): Place => ({ name: d.name, decision: d, ops: [] });
  const placed = decisions.filter((d) => !d.path).map(place);
  const done = new Set<Placed>();
  for (const stage of (space.stages ?? []) as Stage[]) {
    const mine = decisions.filter((d) => d.path && !done.has(d) && under(d.path, stage.path));
    mine.forEach((d) => done.add(d));
    const rows = mine.length ? mine.map(place) : [{ name: stage.path, ops: [] }];
    const words = [mine.length ? stage.path : "", stage.block ? `block ${stage.block}` : ""].filter(Boolean).join(", ");
    rows[rows.length - 1].ops = [{ op: words, out: stage.out, macs: stage.macs, params: stage.params }];
    placed.push(...rows);
  }
  return [...placed, ...decisions.filter((d) => d.path && !done.has(d)).map(place)];
}

// How many decisions, in document order, come before this op: up to the last whose ops come earlier, and those without ops
// after it when nothing that computes follows.
function earlier(decisions: Placed[], plan: Plan, op: PlanOp): number {
  const at = plan.ops.indexOf(op);
  const later = decisions.findIndex((d) => d.path && plan.ops.slice(at).some((o) => under(o.path ?? "", d.path!)));
  return later < 0 ? decisions.length : later;
}

function words(ops: PlanOp[]): string {
  const extra = (o: PlanOp) => {
    const k = (o as PlanOp & { kernel?: number[]; groups?: number; stride?: number; kind?: string }) ?? {};
    const kernel = k.kernel ? ` ${k.kernel.join("×")}` : "";
    return `${k.kind ?? o.op}${kernel}${k.stride ? ` /${k.stride}` : ""}${k.groups ? ` in ${k.groups} groups` : ""}`;
  };
  return ops.map(extra).join(" → ");
}

const ROW = 34;
const NAME = 112;

export function Network({ places, differs, open }: { places: Place[]; differs?: Set<string>; open?: boolean }) {
  const [host, width] = useWidth<HTMLDivElement>();
  const inner = Math.max(width, 640);
  const widest = Math.max(1, ...places.map((p) => p.decision?.options.length ?? 1));
  const lanes = Math.min(widest * 92, inner * 0.44);
  const lane = lanes / widest;
  const right = NAME + lanes + 20;
  const shapeAt = inner - 168;
  const letters = Math.floor((shapeAt - right - 76) / 6.4); // of what a place computes; none in a narrow drawing
  const most = Math.max(1, ...places.map((p) => p.ops.reduce((s, o) => s + (o.macs ?? 0), 0)));
  const bar = linear([0, most], [0, 78]);
  const middle = NAME + lanes / 2;
  const boxes = places.map((p) => {
    const n = p.decision?.options.length ?? 1;
    return (o: number) => middle + (o - (n - 1) / 2) * lane;
  });
  const line: string[] = [];
  places.forEach((p, i) => {
    if (p.decision && p.chosen === undefined) return; // the line passes it by
    const o = p.decision ? p.decision.options.findIndex((v) => String(v) === p.chosen) : 0;
    line.push(`${boxes[i](Math.max(0, o)).toFixed(1)},${(26 + i * ROW + ROW / 2).toFixed(1)}`);
  });
  return (
    <div class="chart-scroll" ref={host} tabIndex={0} role="group" aria-label={open ? "The space as a network" : "The architecture as a network"}>
      {width > 0 && (
        <svg class="drawn network" width={inner} height={30 + places.length * ROW} role="img" aria-label={`${open ? "The space" : "The architecture"} in ${places.length} places. The Table button lists them.`}>
          <text class="head" x={NAME - 10} y={14} style={{ textAnchor: "end" }}>
            Place
          </text>
          <text class="head" x={middle} y={14} style={{ textAnchor: "middle" }}>
            Choice
          </text>
          {letters > 6 && (
            <text class="head" x={right} y={14}>
              {open ? "Where" : "Computes"}
            </text>
          )}
          <text class="head" x={shapeAt} y={14} style={{ textAnchor: "end" }}>
            Output
          </text>
          <text class="head" x={shapeAt + 14} y={14}>
            {open ? "MACs, largest" : "MACs"}
          </text>
          {!open && <polyline class="flow" points={line.join(" ")} />}
          {places.map((p, i) => {
            const y = 26 + i * ROW;
            const macs = p.ops.reduce((s, o) => s + (o.macs ?? 0), 0);
            const params = p.ops.reduce((s, o) => s + (o.params ?? 0), 0);
            const out = p.ops[p.ops.length - 1]?.out;
            const off = !open && p.decision && p.chosen === undefined;
            const text = off ? "not reached" : p.ops.length ? words(p.ops) : !open && p.decision?.options.length ? "passes its input on" : "";
            return (
              <g class={off ? "unused" : ""}>
                {differs?.has(p.name) && <rect class="differs" x={2} y={y + 1} width={inner - 4} height={ROW - 2} rx={4} />}
                <text class="row-name" x={NAME - 10} y={y + ROW / 2 + 4}>
                  {shorten(p.name, 16)}
                  <title>{p.name}</title>
                </text>
                {p.decision ? (
                  p.decision.options.map((option, o) => {
                    const on = String(option) === p.chosen;
                    return (
                      <g class={`pick ${on ? "on" : ""}`}>
                        <rect x={boxes[i](o) - lane / 2 + 3} y={y + 5} width={lane - 6} height={ROW - 10} rx={5} />
                        <text x={boxes[i](o)} y={y + ROW / 2 + 4}>
                          {shorten(String(option), Math.max(2, Math.floor(lane / 7.2)))}
                          <title>{String(option)}</title>
                        </text>
                      </g>
                    );
                  })
                ) : (
                  <rect class="fixed" x={middle - 5} y={y + ROW / 2 - 5} width={10} height={10} rx={2} />
                )}
                {letters > 6 && (
                  <text x={right} y={y + ROW / 2 + 4}>
                    {shorten(text, letters)}
                    <title>{text}</title>
                  </text>
                )}
                <text class="shape" x={shapeAt} y={y + ROW / 2 + 4}>
                  {out ? out.join("×") : ""}
                </text>
                {macs > 0 && <rect class="cost" x={shapeAt + 14} y={y + ROW / 2 - 5} width={Math.max(1, bar(macs))} height={10} rx={2} />}
                <text x={shapeAt + 18 + bar(macs)} y={y + ROW / 2 + 4}>
                  {macs ? si(macs) : ""}
                  <title>{`${si(macs)} MACs, ${si(params)} parameters`}</title>
                </text>
              </g>
            );
          })}
        </svg>
      )}
    </div>
  );
}

export function placesTwin(places: Place[]) {
  return {
    columns: ["Place", "Choice", "Options", "Computes", "Output", "MACs", "Parameters"],
    rows: places.map((p) => [
      p.name,
      p.decision ? (p.chosen ?? "not reached") : null,
      p.decision ? p.decision.options.map(String).join(" | ") : null,
      words(p.ops),
      p.ops[p.ops.length - 1]?.out.join(" × ") ?? null,
      p.ops.reduce((s, o) => s + (o.macs ?? 0), 0),
      p.ops.reduce((s, o) => s + (o.params ?? 0), 0),
    ]),
  };
}
