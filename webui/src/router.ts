// router: the address bar is the state. A route is a path and a query; pages read them and change them here, so that a
// copied address shows the same view to someone else.
import { computed, signal } from "@preact/signals";

export interface Route {
  path: string;
  query: URLSearchParams;
}

function read(): Route {
  return { path: location.pathname.replace(/\/+$/, "") || "/", query: new URLSearchParams(location.search) };
}

export const route = signal<Route>(read());
export const path = computed(() => route.value.path);

export function start(): void {
  addEventListener("popstate", () => (route.value = read()));
  document.addEventListener("click", (event) => {
    const link = (event.target as Element | null)?.closest?.("a[href]") as HTMLAnchorElement | null;
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || link.target || link.hasAttribute("download")) return;
    if (/^\/(api|metrics|healthz|openapi\.json)/.test(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

export function go(url: string, replace = false): void {
  history[replace ? "replaceState" : "pushState"](null, "", url);
  const before = route.value.path;
  route.value = read();
  if (route.value.path !== before) scrollTo(0, 0);
}

// Leads on from a page whose work is done, unless the reader has gone elsewhere meanwhile.
export function goFrom(from: string, url: string): void {
  if (path.peek() === from) go(url);
}

export function candidateUrl(search: number, code: string): string {
  return `/searches/${search}/candidates/${encodeURIComponent(code)}`;
}

// Sets (or, with null or "", removes) members of the query, and leaves the others.
export function setQuery(change: Record<string, string | number | null | undefined>, push = false): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value == null || value === "") query.delete(name);
    else query.set(name, String(value));
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ""), !push);
}

// "/searches/:id" against "/searches/7" -> {id: "7"}; null when it does not match.
export function match(pattern: string, actual: string): Record<string, string> | null {
  const want = pattern.split("/");
  const have = actual.split("/");
  if (want.length !== have.length) return null;
  const params: Record<string, string> = {};
  for (let i = 0; i < want.length; i++) {
    if (want[i].startsWith(":")) params[want[i].slice(1)] = decodeURIComponent(have[i]);
    else if (want[i] !== have[i]) return null;
  }
  return params;
}
