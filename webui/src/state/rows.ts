// rows: a long list of which only the parts looked at are loaded, and the part that comes next. Rows stay on the screen
// while newer ones are fetched, so that a live table changes without blinking. Places that a dragged scroll bar only
// passes are not asked for.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { listen } from "../api/live";
import type { Problem } from "../api/client";
import { asProblem } from "./use";

const PAGE = 100;
const KEEP = 40; // pages held in memory
const AHEAD = 150; // rows
const SETTLE_MS = 80;

export interface Rows<R> {
  total: number | undefined;
  row: (index: number) => R | undefined;
  view: (first: number, last: number) => void;
  loaded: () => R[];
  error: Problem | undefined;
  reload: () => void;
}

interface Store<R> {
  pages: Map<number, { items: R[]; stale: boolean }>;
  busy: Map<number, boolean>; // pages asked for; true: something changed since
  stop: AbortController;
  total: number | undefined;
  first: number;
  last: number;
  ahead: number; // 1 while the view moves down, -1 while it moves up, 0 before it moved
  settle: number; // a timer
}

function fresh<R>(): Store<R> {
  return { pages: new Map(), busy: new Map(), stop: new AbortController(), total: undefined, first: 0, last: 0, ahead: 0, settle: 0 };
}

export function useRows<R>(
  key: string,
  fetchPage: (offset: number, limit: number, signal: AbortSignal) => Promise<{ items: R[]; total: number }>,
  concerns: (searches: Set<number>) => boolean,
  everyMs = 1000,
): Rows<R> {
  const store = useRef<Store<R>>(fresh());
  const [state, setState] = useState<{ key: string; total?: number; error?: Problem; turn: number }>({ key, turn: 0 });
  const latest = useRef({ fetchPage, concerns });
  latest.current = { fetchPage, concerns };
  const refill = useRef(() => {});

  const ask = useCallback(
    (page: number) => {
      const s = store.current;
      if (s.busy.has(page)) return;
      s.busy.set(page, false);
      latest.current
        .fetchPage(page * PAGE, PAGE, s.stop.signal)
        .then(
          ({ items, total }) => {
            if (s.stop.signal.aborted) return;
            s.total = total;
            s.pages.delete(page); // to the end of the order: the oldest are dropped first
            s.pages.set(page, { items, stale: s.busy.get(page)! });
            for (const old of s.pages.keys()) if (s.pages.size > KEEP) s.pages.delete(old);
            setState((was) => ({ key, total, turn: was.turn + 1 }));
          },
          (error) => {
            if (s.stop.signal.aborted) return;
            setState((was) => ({ key, total: was.key === key ? was.total : undefined, error: asProblem(error), turn: was.turn + 1 }));
          },
        )
        .finally(() => {
          const again = s.busy.get(page);
          s.busy.delete(page);
          if (again && !s.stop.signal.aborted) refill.current();
        });
    },
    [key],
  );

  const fill = useCallback(() => {
    const s = store.current;
    const from = s.ahead < 0 ? Math.max(0, s.first - AHEAD) : s.first;
    const to = s.ahead > 0 ? s.last + AHEAD : s.last;
    for (let p = Math.floor(from / PAGE); p <= Math.floor(to / PAGE); p++) {
      const page = s.pages.get(p);
      const looked = p >= Math.floor(s.first / PAGE) && p <= Math.floor(s.last / PAGE);
      if (page ? page.stale && looked : looked || (s.total !== undefined && p * PAGE < s.total)) ask(p);
    }
  }, [ask]);

  refill.current = fill;

  const reload = useCallback(() => {
    const s = store.current;
    for (const page of s.pages.values()) page.stale = true;
    for (const page of s.busy.keys()) s.busy.set(page, true); // what comes may be older than the change
    fill();
  }, [fill]);

  useEffect(() => {
    store.current = fresh();
    fill();
    const mine = store.current;
    return () => {
      mine.stop.abort();
      clearTimeout(mine.settle);
    };
  }, [fill]);

  useEffect(() => {
    let timer = 0;
    let last = 0;
    const off = listen((change) => {
      if (timer || !(change.missed || latest.current.concerns(change.searches))) return;
      timer = window.setTimeout(
        () => {
          timer = 0;
          last = Date.now();
          reload();
        },
        Math.max(0, last + everyMs - Date.now()),
      );
    });
    return () => {
      off();
      clearTimeout(timer);
    };
  }, [reload, everyMs]);

  const current = state.key === key;
  return {
    total: current ? state.total : undefined,
    error: current ? state.error : undefined,
    row: (i) => (current ? store.current.pages.get(Math.floor(i / PAGE))?.items[i % PAGE] : undefined),
    loaded: () => (current ? [...store.current.pages.values()].flatMap((p) => p.items) : []),
    view: (first, last) => {
      const s = store.current;
      const step = first - s.first;
      if (step) s.ahead = Math.sign(step);
      s.first = first;
      s.last = last;
      clearTimeout(s.settle);
      if (Math.abs(step) < PAGE) fill();
      else s.settle = window.setTimeout(fill, SETTLE_MS);
    },
    reload,
  };
}
