// session: who is signed in, and what the role allows. The coordinator decides; this only hides what it would refuse.
import { computed, signal } from "@preact/signals";
import { api, localProblem, setToken } from "../api/client";
import type { Session } from "../api/types";

const KEY = "subrank.session";

function stored(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Session | null;
  } catch {
    return null;
  }
}

export const session = signal<Session | null>(stored());

export const maySubmit = computed(() => session.value?.role === "submit" || session.value?.role === "admin");
export const mayAdmin = computed(() => session.value?.role === "admin");

export async function signIn(secret: string): Promise<void> {
  const found = await api.session(secret);
  if (found.role === "worker" || found.role === "join") {
    throw localProblem("forbidden", `This is a ${found.role} token: it lets a machine work, not a person look. Use one with the role read, submit or admin.`);
  }
  sessionStorage.setItem(KEY, JSON.stringify(found));
  session.value = found;
  setToken(secret);
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  session.value = null;
  setToken("");
}
