import { createRequire } from "node:module"
import { readFileSync } from "node:fs"
import { Context, Effect, Layer, Schedule, type Scope } from "effect"
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core"
import { CHROMIUM } from "../support/capabilities.ts"
import { operatorToken, origin } from "../http/support.ts"

/** A page that does what it should within this time, or does not at all. Milliseconds. */
const PATIENCE = 5000

export class Chromium extends Context.Service<Chromium, Browser>()("test/browser/Chromium") {
  static readonly layer = Layer.effect(
    Chromium,
    Effect.acquireRelease(
      Effect.promise(() =>
        chromium.launch({ executablePath: CHROMIUM ?? "chromium", args: ["--no-sandbox", "--disable-gpu"] })
      ),
      (browser) => Effect.promise(() => browser.close())
    )
  )
}

export interface Screen {
  readonly width: number
  readonly height: number
}
export const DESKTOP: Screen = { width: 1280, height: 800 }
export const PHONE: Screen = { width: 390, height: 844 }

export interface Visit {
  readonly page: Page
  readonly context: BrowserContext
  /** Addresses outside of the listener that something asked for. */
  readonly foreign: ReadonlyArray<string>
  /** What the page complained about, refused scripts included. */
  readonly complaints: ReadonlyArray<string>
}

/** A browser window that nobody has signed in. */
export const openWindow = (
  screen: Screen = DESKTOP,
  options: { readonly javaScriptEnabled?: boolean; readonly colorScheme?: "light" | "dark" } = {}
): Effect.Effect<Visit, never, Chromium | Scope.Scope> =>
  Effect.gen(function* () {
    const browser = yield* Chromium
    const context = yield* Effect.acquireRelease(
      Effect.promise(() => browser.newContext({ viewport: screen, ...options })),
      (opened) => Effect.promise(() => opened.close())
    )
    context.setDefaultTimeout(PATIENCE)
    const foreign: Array<string> = []
    const complaints: Array<string> = []
    const page = yield* Effect.promise(() => context.newPage())
    page.on("request", (request) => {
      if (!request.url().startsWith("http://127.0.0.1:")) foreign.push(request.url())
    })
    page.on("pageerror", (error) => complaints.push(String(error)))
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text())
    })
    return { page, context, foreign, complaints }
  })

/** A window of the operator, on a page. */
export const visit = Effect.fnUntraced(function* (
  path: string,
  screen: Screen = DESKTOP,
  options: Parameters<typeof openWindow>[1] = {}
) {
  const opened = yield* openWindow(screen, options)
  const url = yield* origin
  const token = yield* operatorToken
  yield* Effect.promise(async () => {
    await opened.page.goto(`${url}/`)
    await opened.page.fill("#token", token)
    await opened.page.click("button[type=submit]")
    await opened.page.waitForSelector("#sessions")
    if (path !== "/") await opened.page.goto(`${url}${path}`)
  })
  return opened
})

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

interface Violation {
  readonly id: string
  readonly impact: string | null
  readonly nodes: ReadonlyArray<{ readonly html: string; readonly failureSummary: string }>
}

/** Serious and critical violations of WCAG 2.2 A and AA, in words. */
export const violations = (page: Page): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const session = await page.context().newCDPSession(page)
    await session.send("Page.setBypassCSP", { enabled: true })
    const found = (await page.evaluate(
      `(() => { ${AXE}; return axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }) })()`
    )) as { readonly violations: ReadonlyArray<Violation> }
    return found.violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) =>
        nodes.map(({ failureSummary, html }) => `${id}: ${html}\n${failureSummary}`)
      )
  })

export const run = <A>(work: () => Promise<A>): Effect.Effect<A> => Effect.promise(work)

/** Waits until an expression is true in the page. The page's policy allows no evaluation in itself. */
export const until = (page: Page, expression: string): Effect.Effect<void> =>
  run(() => page.evaluate<boolean>(expression)).pipe(
    Effect.flatMap((holds) => (holds ? Effect.void : Effect.fail("not yet"))),
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeoutOrElse({
      duration: PATIENCE,
      orElse: () => Effect.die(new Error(`never came true: ${expression}`))
    }),
    Effect.orDie
  )

/** Milliseconds at best: what the program can do, whatever else the machine is doing. */
export const quickest = <R>(
  measure: (n: number) => Effect.Effect<number, never, R>
): Effect.Effect<number, never, R> =>
  Effect.map(Effect.forEach([1, 2, 3, 4, 5], measure), (times) => Math.min(...times))
