// login: a token in, a session out. Nothing else of the dashboard is drawn before that.
import { useState } from "preact/hooks";
import { refused, signedIn } from "../api/client";
import { Button, Failure } from "../parts/basics";
import { Field } from "../parts/form";
import { Logo } from "../parts/logo";
import { signIn } from "../state/session";
import { useAction } from "../state/use";

export function Login() {
  const [secret, setSecret] = useState("");
  const wasRefused = signedIn.value && refused.value;
  const enter = useAction(() => signIn(secret.trim()));
  return (
    <main class="login">
      <form
        class="panel"
        onSubmit={(e) => {
          e.preventDefault();
          void enter.run();
        }}
      >
        <div class="login-brand">
          <Logo />
          <h1>subrank</h1>
        </div>
        <p class="lead">Rankings of the architectures inside a supernet, as they grow.</p>
        {wasRefused && !enter.error && (
          <p class="failure" role="alert">
            The session is over: it ran out, or its token was revoked. Sign in again.
          </p>
        )}
        <Field
          label="Token"
          hint={
            <>
              The coordinator’s first start wrote an admin token to a file and said where. An administrator makes others under
              Admin.
            </>
          }
        >
          {(a) => (
            <input
              {...a}
              type="password"
              name="token"
              autocomplete="current-password"
              autoFocus
              required
              value={secret}
              onInput={(e) => setSecret(e.currentTarget.value)}
            />
          )}
        </Field>
        {enter.error &&
          (enter.error.type === "unauthorized" ? (
            <p class="failure" role="alert">
              The coordinator does not know this token. Check that all of it was copied.
            </p>
          ) : (
            <Failure problem={enter.error} />
          ))}
        <Button kind="primary" type="submit" busy={enter.busy} disabled={!secret.trim()}>
          {enter.busy ? "Signing in …" : "Sign in"}
        </Button>
      </form>
    </main>
  );
}
