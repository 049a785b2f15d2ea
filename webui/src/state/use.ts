// use: how a page gets what it shows. useResource loads, keeps the last good value while it loads again, loads again
// when a live event says so, and reports the error without dropping the value.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Change, listen } from "../api/live";
import { localProblem, Problem } from "../api/client";

export interface Resource<R> {
  value: R | undefined;
  error: Problem | undefined;
  loading: boolean;
  reload: () => void;
}

export interface Watch {
  when: (change: Change) => boolean;
  everyMs?: number; // shortest time between two loads (default 500)
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return localProblem("internal", (error as Error)?.message ?? String(error));
}

// `key` names what is loaded: a new key drops the old value. A null key loads nothing.
export function useResource<R>(key: string | null, load: (signal: AbortSignal) => Promise<R>, watch?: Watch): Resource<R> {
  const [state, setState] = useState<{ key: string | null; value?: R; error?: Problem; loading: boolean }>({ key, loading: true });
  const latest = useRef(load);
  latest.current = load;
  const runner = useRef<{ again: boolean; busy: boolean; stop: AbortController | null }>({ again: false, busy: false, stop: null });

  const reload = useCallback(() => {
    if (key === null) return;
    const run = runner.current;
    if (run.busy) {
      run.again = true;
      return;
    }
    run.busy = true;
    run.stop = new AbortController();
    const { signal } = run.stop;
    latest
      .current(signal)
      .then(
        (value) => !signal.aborted && setState({ key, value, loading: false }),
        (error) =>
          !signal.aborted &&
          setState((old) => ({ key, value: old.key === key ? old.value : undefined, error: asProblem(error), loading: false })),
      )
      .finally(() => {
        if (signal.aborted) return;
        run.busy = false;
        if (run.again) {
          run.again = false;
          reload();
        }
      });
  }, [key]);

  useEffect(() => {
    reload();
    return () => {
      runner.current.stop?.abort();
      runner.current = { again: false, busy: false, stop: null };
    };
  }, [reload]);

  const watcher = useRef(watch);
  watcher.current = watch;
  useEffect(() => {
    if (!watch) return;
    let timer = 0;
    let last = 0;
    const off = listen((change) => {
      if (!(change.missed || watcher.current?.when(change)) || timer) return;
      const wait = Math.max(0, last + (watcher.current?.everyMs ?? 500) - Date.now());
      timer = window.setTimeout(() => {
        timer = 0;
        last = Date.now();
        reload();
      }, wait);
    });
    return () => {
      off();
      clearTimeout(timer);
    };
  }, [reload, Boolean(watch)]);

  const current = state.key === key;
  return {
    value: current ? state.value : undefined,
    error: current ? state.error : undefined,
    loading: !current || state.loading,
    reload,
  };
}

// The present, as a number that moves on every `ms`; stands still while the tab is hidden.
export function useNow(ms: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const id = setInterval(() => !document.hidden && setNow(Date.now()), ms);
    return () => clearInterval(id);
  }, [ms]);
  return now;
}

// The value, once it has not changed for `ms`.
export function useSettled<V>(value: V, ms: number): V {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const id = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(id);
  }, [value, ms]);
  return settled;
}

// Runs an action once at a time and keeps its error for display.
export function useAction<A extends unknown[]>(act: (...args: A) => Promise<unknown>): {
  run: (...args: A) => Promise<boolean>;
  busy: boolean;
  error: Problem | undefined;
  clear: () => void;
} {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Problem>();
  const run = async (...args: A): Promise<boolean> => {
    setBusy(true);
    setError(undefined);
    try {
      await act(...args);
      return true;
    } catch (e) {
      setError(asProblem(e));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { run, busy, error, clear: () => setError(undefined) };
}
