import type { HttpServerResponse } from "effect/http"
import { Plain } from "./dashboard/layout.tsx"
import { pageResponse } from "./dashboard/render.ts"

const SignIn = ({
  next,
  tokenPath,
  wrong
}: {
  readonly tokenPath: string
  readonly next: string
  readonly wrong: boolean
}) => (
  <Plain title="Sign in · symphony">
    <main id="main" class="sign-in">
      <h1>symphony</h1>
      <p>
        Only its operator may look. The token is in <code>{tokenPath}</code> on the machine symphony runs on;
        started from a terminal, symphony also prints a link that signs in once.
      </p>
      {wrong ? (
        <p class="error" role="alert">
          That is not the token, or the link was used before or is older than ten minutes.
        </p>
      ) : null}
      <form method="post" action="/sign-in" class="stack">
        <input type="hidden" name="next" value={next} />
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          spellcheck={false}
        />
        <button type="submit" class="primary">
          Sign in
        </button>
      </form>
    </main>
  </Plain>
)

/** 401: what was asked for needs a session, and this is how to get one. */
export const signInPage = (options: {
  readonly tokenPath: string
  /** Where to go on afterwards. */
  readonly next: string
  readonly wrong: boolean
}): HttpServerResponse.HttpServerResponse => pageResponse(<SignIn {...options} />, 401)
