// ranking: the table of a search: sorted and filtered by the coordinator, loaded row by row as it is looked at, and
// refreshed in place while scores come in. Isomorphic architectures can be grouped.
import { useMemo, useRef, useState } from "preact/hooks";
import { api } from "../../api/client";
import type { Candidate, Class, Classes, Search } from "../../api/types";
import { ago, count, dateTime, fixed, percent, plural, si } from "../../format";
import { Button, Empty, Failure, Pending } from "../../parts/basics";
import { Check } from "../../parts/form";
import { type Axis, axisOf, Interval } from "../../parts/interval";
import { Opinions, OpinionMark } from "../../parts/opinions";
import { type Column, VirtualTable } from "../../parts/virtual";
import { route, setQuery } from "../../router";
import { useRows } from "../../state/rows";
import { useNow } from "../../state/use";
import { filterOf, FilterMenu, noFilter } from "./filter";

type Optional = "interval" | "opinions" | "accuracy5" | "loss" | "macs" | "params" | "images" | "generation" | "class" | "worker" | "scored";
const optional: Record<Optional, string> = {
  interval: "95 % interval",
  opinions: "Second opinions",
  accuracy5: "Top-5 accuracy",
  loss: "Loss",
  macs: "MACs",
  params: "Parameters",
  images: "Images",
  generation: "Generation",
  class: "Class",
  worker: "Worker",
  scored: "Scored",
};
const usual: Optional[] = ["interval", "loss", "macs", "params", "worker", "scored"];

interface Context {
  axis: Axis;
  band: number[] | null;
  now: number;
}

function columnsOf(shown: Set<Optional>, c: Context): Column<Candidate>[] {
  const faults = (r: Candidate) => r.status === "failed";
  const all: (Column<Candidate> & { when?: Optional })[] = [
    {
      id: "rank",
      head: "Rank",
      name: "rank",
      width: "72px",
      numeric: true,
      cell: (r, _i, tied) => (r.rank == null ? "–" : <span title={tied ? "Tied with its neighbour" : undefined}>{count(r.rank)}{tied ? <span class="tie">=</span> : ""}</span>),
    },
    { id: "code", head: "Architecture", name: "architecture code", width: "minmax(160px, 1.3fr)", sort: "code", cell: (r) => <code class="ellipsis" title={r.code}>{r.code}</code> },
    {
      id: "accuracy",
      head: "Accuracy",
      name: "accuracy",
      width: "100px",
      sort: "accuracy",
      numeric: true,
      cell: (r) => (faults(r) ? <span class="bad" title={r.error?.detail}>failed</span> : <><OpinionMark of={r} /><strong>{percent(r.accuracy)}</strong></>),
    },
    {
      id: "interval",
      when: "interval",
      head: `${percent(c.axis.lo, 0)} to ${percent(c.axis.hi, 0)}`,
      name: "width of the 95 % interval; the pale band is that of the best",
      width: "minmax(140px, 1.6fr)",
      sort: "ci",
      cell: (r) => {
        const { ci } = r;
        if (r.accuracy == null) return <span class="ellipsis muted" title={r.error?.detail}>{r.error?.detail ?? ""}</span>;
        return <Interval value={r.accuracy} ci={ci} band={c.band} axis={c.axis} name={ci ? `95 %: ${percent(ci[0])} to ${percent(ci[1])}` : undefined} />;
      },
    },
    { id: "opinions", when: "opinions", head: "Repeated", name: "whether other workers got the same", width: "132px", sort: "replicas", cell: (r) => <Opinions of={r} /> },
    { id: "accuracy5", when: "accuracy5", head: "Top-5", name: "top-5 accuracy", width: "84px", sort: "accuracy5", numeric: true, cell: (r) => percent(r.accuracy5) },
    { id: "loss", when: "loss", head: "Loss", name: "mean loss", width: "80px", sort: "loss", numeric: true, cell: (r) => fixed(r.loss) },
    { id: "macs", when: "macs", head: "MACs", name: "multiply-accumulates", width: "84px", sort: "macs", numeric: true, cell: (r) => si(r.macs) },
    { id: "params", when: "params", head: "Params", name: "parameters", width: "84px", sort: "params", numeric: true, cell: (r) => si(r.params) },
    {
      id: "images",
      when: "images",
      head: "Correct",
      name: "correct of images",
      width: "128px",
      numeric: true,
      cell: (r) => (r.n_images ? `${count(r.n_correct)} / ${count(r.n_images)}` : "–"),
    },
    { id: "generation", when: "generation", head: "Gen.", name: "generation", width: "64px", sort: "generation", numeric: true, cell: (r) => r.generation ?? "–" },
    {
      id: "class",
      when: "class",
      head: "Class",
      name: "class of isomorphic architectures",
      width: "104px",
      sort: "class",
      cell: (r) =>
        r.class ? (
          <button type="button" class="link code" title="Show only this class" onClick={(e) => (e.stopPropagation(), setQuery({ class: r.class }))}>
            {r.class.slice(0, 8)}
          </button>
        ) : (
          "–"
        ),
    },
    { id: "worker", when: "worker", head: "Worker", name: "worker that scored it", width: "84px", sort: "worker", numeric: true, cell: (r) => r.worker ?? "–" },
    {
      id: "scored",
      when: "scored",
      head: "Scored",
      name: "when it was scored",
      width: "104px",
      sort: "scored_at",
      numeric: true,
      cell: (r) => <span class="muted" title={dateTime(r.scored_at)}>{ago(r.scored_at, c.now)}</span>,
    },
  ];
  return all.filter((column) => !column.when || shown.has(column.when));
}

function ColumnChooser({ shown }: { shown: Set<Optional> }) {
  const toggle = (name: Optional, on: boolean) => {
    const next = (Object.keys(optional) as Optional[]).filter((o) => (o === name ? on : shown.has(o)));
    setQuery({ columns: next.join() === usual.join() ? null : next.join(".") || "none" });
  };
  return (
    <details class="menu">
      <summary class="button plain small">Columns</summary>
      <div class="menu-body">
        {(Object.keys(optional) as Optional[]).map((name) => (
          <Check label={optional[name]} checked={shown.has(name)} onChange={(on) => toggle(name, on)} />
        ))}
      </div>
    </details>
  );
}

function Filters({ grouped, shown }: { grouped: boolean; shown: Set<Optional> }) {
  const { query } = route.value;
  const filtered = query.get("class");
  const brushed = query.get("choices");
  return (
    <div class="filters">
      <h2 id="ranking-title">Ranking</h2>
      <span class="grow" />
      {!grouped && (
        <>
          <input
            type="search"
            class="mono"
            placeholder="Code begins with"
            aria-label="Code begins with"
            value={query.get("q") ?? ""}
            onInput={(e) => setQuery({ q: e.currentTarget.value })}
          />
          <FilterMenu />
        </>
      )}
      {filtered && (
        <Button small onClick={() => setQuery({ class: null })} aria-label={`Class ${filtered.slice(0, 8)} only; show all`}>
          class <code>{filtered.slice(0, 8)}</code> ✕
        </Button>
      )}
      {brushed && (
        <Button small onClick={() => setQuery({ choices: null })} aria-label="Marked choices only; show all">
          marked choices ✕
        </Button>
      )}
      <Check label="Group isomorphic" checked={grouped} onChange={(on) => setQuery({ group: on ? "class" : null, class: null })} />
      {!grouped && <ColumnChooser shown={shown} />}
    </div>
  );
}

const highFirst = new Set(["accuracy", "accuracy5", "scored_at", "replicas"]); // until the reader turns them round
const whole: Axis = { lo: 0, hi: 1 };

// The axis of the intervals seen so far. It only grows: a table whose scale moves while it scrolls cannot be read.
function useAxis(key: string, values: (number | null | undefined)[]): Axis {
  const kept = useRef<{ key: string; axis: Axis }>();
  const old = kept.current?.key === key ? kept.current.axis : undefined;
  if (!values.some((v) => v != null)) return old ?? whole;
  const seen = axisOf(values);
  if (!old || seen.lo < old.lo || seen.hi > old.hi)
    kept.current = { key, axis: { lo: Math.min(seen.lo, old?.lo ?? 1), hi: Math.max(seen.hi, old?.hi ?? 0) } };
  return kept.current!.axis;
}

function Flat({ search, shown }: { search: Search; shown: Set<Optional> }) {
  const { query } = route.value;
  const now = useNow(10_000);
  const sort = query.get("sort") ?? "accuracy";
  const order = query.get("order") === "asc" ? "asc" : query.get("order") === "desc" ? "desc" : highFirst.has(sort) ? "desc" : "asc";
  const filter = filterOf(query);
  const key = JSON.stringify([search.id, sort, order, filter]);
  const rows = useRows<Candidate>(
    key,
    (offset, limit, signal) => api.ranking(search.id, { sort, order, offset, limit, ...filter }, signal),
    (searches) => searches.has(search.id),
  );
  const band = search.best?.ci ?? null;
  const axis = useAxis(key, [...rows.loaded().flatMap((r) => r.ci ?? [r.accuracy]), ...(band ?? [])]);
  const columns = useMemo(() => columnsOf(shown, { axis, band, now }), [[...shown].join(), axis, String(band), now]);
  if (rows.total === undefined) return <Pending what="the ranking" error={rows.error} reload={rows.reload} />;
  if (rows.total === 0) {
    return Object.keys(filter).length ? (
      <Empty title="No architecture matches the filter">
        <Button onClick={() => setQuery(noFilter)}>Clear the filter</Button>
      </Empty>
    ) : (
      <Empty title="Nothing is scored yet">
        <p>
          The first rows appear here by themselves. If nothing happens for a while, look whether a <a href="/workers">worker</a> has joined.
        </p>
      </Empty>
    );
  }
  const tied = (i: number) => {
    const accuracy = rows.row(i)?.accuracy;
    return sort === "accuracy" && accuracy != null && (rows.row(i - 1)?.accuracy === accuracy || rows.row(i + 1)?.accuracy === accuracy);
  };
  return (
    <>
      {rows.error && rows.error.type !== "unreachable" && <Failure problem={rows.error} retry={rows.reload} />}
      <VirtualTable<Candidate>
        label="ranking"
        columns={columns}
        total={rows.total}
        row={rows.row}
        marked={tied}
        keyOf={(r) => r.code}
        sort={sort}
        order={order}
        onSort={(s) => setQuery({ sort: s === "accuracy" ? null : s, order: s === sort ? (order === "asc" ? "desc" : "asc") : null })}
        onView={rows.view}
        selected={query.get("code") ?? undefined}
        onOpen={(r) => setQuery({ code: r.code }, true)}
        resetKey={key}
      />
      <p class="note">
        {plural(rows.total, "architecture")}. <span class="tie">=</span> marks exact ties, which stand in the order they were proposed; a row whose interval reaches the pale band
        cannot be told from the best by this many images. <span class="opinion good">✓</span> another worker got the same,{" "}
        <span class="opinion bad">≠</span> none of the others did.
      </p>
    </>
  );
}

const CODES = 12; // of a class that are told

function groupColumns(axis: Axis): Column<Class>[] {
  return [
    { id: "rank", head: "#", name: "place by mean accuracy", width: "72px", numeric: true, cell: (_r, i) => count(i + 1) },
    { id: "class", head: "Class", name: "class", width: "110px", cell: (r) => <code>{r.class.slice(0, 8)}</code> },
    { id: "n", head: "Codes", name: "isomorphic codes", width: "70px", numeric: true, cell: (r) => count(r.n) },
    { id: "mean", head: "Mean", name: "mean accuracy", width: "90px", numeric: true, cell: (r) => <strong>{percent(r.mean)}</strong> },
    {
      id: "range",
      head: `${percent(axis.lo, 0)} to ${percent(axis.hi, 0)}`,
      name: "from the worst to the best code of the class",
      width: "minmax(120px, 1.4fr)",
      cell: (r) => (r.mean == null ? "–" : <Interval value={r.mean} ci={r.min != null && r.max != null ? [r.min, r.max] : null} axis={axis} />),
    },
    {
      id: "spread",
      head: "Spread",
      name: "difference between the best and the worst code of the class",
      width: "90px",
      numeric: true,
      cell: (r) => (r.n > 1 && r.max != null && r.min != null ? percent(r.max - r.min) : "–"),
    },
    { id: "codes", head: "Architectures", name: "codes", width: "minmax(180px, 2fr)", cell: (r) => <code class="ellipsis">{r.codes.join("  ")}{r.n > r.codes.length ? ` … and ${count(r.n - r.codes.length)} more` : ""}</code> },
  ];
}

function Grouped({ search }: { search: Search }) {
  const [all, setAll] = useState<Pick<Classes, "several" | "widest">>({});
  const key = `classes/${search.id}`;
  const rows = useRows<Class>(
    key,
    async (offset, limit, signal) => {
      const page = await api.classes(search.id, { offset, limit, codes: CODES }, signal);
      setAll({ several: page.several, widest: page.widest });
      return { items: page.items, total: page.total ?? 0 };
    },
    (searches) => searches.has(search.id),
    3000,
  );
  const axis = useAxis(key, rows.loaded().flatMap((g) => [g.min, g.max]));
  const columns = useMemo(() => groupColumns(axis), [axis]);
  if (rows.total === undefined) return <Pending what="the classes" error={rows.error} reload={rows.reload} />;
  if (!rows.total) return <Empty title="Nothing is scored yet" />;
  return (
    <>
      <VirtualTable<Class>
        label="classes"
        columns={columns}
        total={rows.total}
        row={rows.row}
        keyOf={(g) => g.class}
        onOpen={(g) => setQuery({ group: null, class: g.class }, true)}
        onView={rows.view}
        resetKey={key}
      />
      <p class="note">
        {plural(rows.total, "class", "classes")} of isomorphic architectures; {count(all.several ?? 0)} with several codes. Codes of one class are the
        same network with other shared weights, so their spread (at most {percent(all.widest)}) is noise of the supernet, not of the architectures.
      </p>
    </>
  );
}

export function Ranking({ search }: { search: Search }) {
  const { query } = route.value;
  const grouped = query.get("group") === "class";
  const chosen = query.get("columns");
  const shown = new Set<Optional>(chosen === null ? usual : (chosen.split(".") as Optional[]));
  return (
    <section class="panel flush ranking" aria-labelledby="ranking-title">
      <Filters grouped={grouped} shown={shown} />
      {grouped ? <Grouped search={search} /> : <Flat search={search} shown={shown} />}
    </section>
  );
}
