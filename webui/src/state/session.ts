// session: who is signed in, and what the role allows. The coordinator decides; this only hides what it would refuse.
import { computed, signal } from "@preact/signals";
import { api, localProblem, Problem, refused, signedIn } from "../api/client";
import type { Session } from "../api/types";

const KEY = "subrank.session";

function stored(): Session | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null") as Session | null;
  } catch {
    return null;
  }
}

export const session = signal<Session | null>(stored());

export const maySubmit = computed(() => session.value?.role === "submit" || session.value?.role === "admin");
export const mayAdmin = computed(() => session.value?.role === "admin");

// The coordinator exchanges the token for a cookie; only who it is stays here.
export async function signIn(secret: string): Promise<void> {
  const found = await api.login(secret).catch((error) => {
    if (!(error instanceof Problem) || error.status !== 403) throw error;
    throw localProblem("token", "This token lets a machine work, not a person look. Use one with the role read, submit or admin.");
  });
  localStorage.setItem(KEY, JSON.stringify(found));
  session.value = found;
  refused.value = false;
  signedIn.value = true;
}

export function signOut(): void {
  void api.logout().catch(() => undefined); // the cookie ends by itself when the coordinator is away
  localStorage.removeItem(KEY);
  session.value = null;
  signedIn.value = false;
}
