// app: the frame around every page (navigation, live state, messages) and the table of routes.
import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { refused, signedIn as entered, unreachableSince } from "./api/client";
import { liveState } from "./api/live";
import { duration } from "./format";
import { Admin } from "./pages/admin";
import { CandidatePage } from "./pages/candidate";
import { Compare } from "./pages/compare";
import { Library } from "./pages/library";
import { Login } from "./pages/login";
import { NewSearch } from "./pages/new_search";
import { SearchPage } from "./pages/search";
import { Searches } from "./pages/searches";
import { WorkerPage } from "./pages/worker";
import { Workers } from "./pages/workers";
import { Button } from "./parts/basics";
import { Logo } from "./parts/logo";
import { UploadDock } from "./parts/uploads";
import { match, path } from "./router";
import { mayAdmin, session, signOut } from "./state/session";
import { setTheme, theme } from "./state/theme";
import { toast } from "./state/toast";
import { useNow } from "./state/use";

interface RouteRow {
  pattern: string;
  title: string;
  page: (params: Record<string, string>) => VNode;
}

const routes: RouteRow[] = [
  { pattern: "/", title: "Searches", page: () => <Searches /> },
  { pattern: "/searches", title: "Searches", page: () => <Searches /> },
  { pattern: "/searches/new", title: "New search", page: () => <NewSearch /> },
  { pattern: "/searches/:id", title: "Search", page: (p) => <SearchPage key={p.id} id={Number(p.id)} /> },
  { pattern: "/searches/:id/candidates/:code", title: "Architecture", page: (p) => <CandidatePage key={`${p.id}/${p.code}`} id={Number(p.id)} code={p.code} /> },
  { pattern: "/compare", title: "Compare", page: () => <Compare /> },
  { pattern: "/workers", title: "Workers", page: () => <Workers /> },
  { pattern: "/workers/:id", title: "Worker", page: (p) => <WorkerPage key={p.id} id={Number(p.id)} /> },
  { pattern: "/library", title: "Library", page: () => <Library section="spaces" /> },
  { pattern: "/library/:section", title: "Library", page: (p) => <Library section={p.section} /> },
  { pattern: "/library/:section/:id", title: "Library", page: (p) => <Library section={p.section} id={Number(p.id)} /> },
  { pattern: "/admin", title: "Admin", page: () => <Admin /> },
];

function resolve(actual: string): { row: RouteRow; page: VNode } | null {
  for (const row of routes) {
    const params = match(row.pattern, actual);
    if (params) return { row, page: row.page(params) };
  }
  return null;
}

function NavLink({ to, children }: { to: string; children: ComponentChildren }) {
  const here = path.value === to || path.value.startsWith(`${to}/`) || (to === "/searches" && path.value === "/");
  return (
    <a href={to} aria-current={here ? "page" : undefined}>
      {children}
    </a>
  );
}

const liveWords = {
  off: ["Paused", "Updates pause while the tab is hidden"],
  connecting: ["Connecting", "Opening the event stream"],
  live: ["Live", "The page updates by itself"],
  waiting: ["Reconnecting", "The event stream was cut; trying again"],
} as const;

function LiveDot() {
  const [word, about] = liveWords[liveState.value];
  return (
    <span class={`live ${liveState.value}`} title={about} role="status">
      <span class="dot" aria-hidden="true" />
      {word}
    </span>
  );
}

function ThemeButton() {
  const next = { system: "light", light: "dark", dark: "system" } as const;
  const sign = { system: "◐", light: "☀", dark: "☾" } as const;
  return (
    <Button
      kind="quiet"
      small
      onClick={() => setTheme(next[theme.value])}
      aria-label={`Colours: ${theme.value}. Change to ${next[theme.value]}`}
      title={`Colours: ${theme.value}`}
    >
      <span aria-hidden="true">{sign[theme.value]}</span>
    </Button>
  );
}

function Header() {
  return (
    <header class="top">
      <div class="top-in">
        <a class="brand" href="/searches" aria-label="subrank, to the searches">
          <Logo />
          <span>subrank</span>
        </a>
        <nav aria-label="Main">
          <NavLink to="/searches">Searches</NavLink>
          <NavLink to="/compare">Compare</NavLink>
          <NavLink to="/workers">Workers</NavLink>
          <NavLink to="/library">Library</NavLink>
          {mayAdmin.value && <NavLink to="/admin">Admin</NavLink>}
        </nav>
        <span class="grow" />
        <LiveDot />
        <ThemeButton />
        <span class="who">
          {session.value?.name && <span title={`Role: ${session.value.role}`}>{session.value.name}</span>}
          <Button kind="quiet" small onClick={signOut}>
            Sign out
          </Button>
        </span>
      </div>
    </header>
  );
}

function Unreachable() {
  const now = useNow(1000);
  const since = unreachableSince.value;
  if (!since) return null;
  return (
    <div class="banner" role="alert">
      The coordinator has not answered for {duration((now - since) / 1000)}. What you see is the last known state; the page tries again by
      itself.
    </div>
  );
}

function Toast() {
  const t = toast.value;
  return (
    <div class="toasts" aria-live="polite">
      {t && (
        <div class={`toast ${t.bad ? "bad" : ""}`}>
          {t.text}
          {t.undo && (
            <Button
              small
              kind="quiet"
              onClick={() => {
                t.undo?.();
                toast.value = null;
              }}
            >
              Undo
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

function NotFound() {
  return (
    <div class="empty">
      <h1>There is no page here</h1>
      <p>
        The address may be mistyped. <a href="/searches">Go to the searches</a>.
      </p>
    </div>
  );
}

export function App() {
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const found = resolve(path.value);
  const signedIn = entered.value && !refused.value;
  useLayoutEffect(() => {
    document.title = signedIn ? `${found?.row.title ?? "Not found"} · subrank` : "Sign in · subrank";
    // A new page is announced to screen readers by moving the focus to it; not on the first one, which the browser announces.
    // That happens before the page is seen: later it would take the focus from a field that is typed into.
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
  }, [path.value, signedIn]);
  if (!signedIn) return <Login />;
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), main.current?.focus())}>
        Skip to content
      </a>
      <Header />
      <Unreachable />
      <main id="main" ref={main} tabIndex={-1}>
        {found ? found.page : <NotFound />}
      </main>
      <UploadDock />
      <Toast />
    </>
  );
}
