import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { Project } from "./project.ts"

/** The built program, as a person starts it. */
export const MAIN = fileURLToPath(new URL("../../../dist/main.js", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Program {
  readonly pid: number
  readonly ended: Promise<Ended>
  readonly stdout: () => string
  readonly stderr: () => string
  /** Waits until stdout or stderr has it; fails when the program ends without having said it. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly kill: (signal: NodeJS.Signals) => void
}

export interface StartOptions {
  readonly cwd: string
  readonly home: string
  readonly env?: Readonly<Record<string, string>>
  /** Of Node itself. */
  readonly nodeArgs?: ReadonlyArray<string>
  /** The file to run, and as whom. */
  readonly main?: string
  readonly uid?: number
  /** Where stderr goes instead of to us: a file descriptor. */
  readonly stderr?: number
}

/** Longer than anything here takes on a busy machine; what is waited for in vain ends by it, with a reason. */
const PATIENCE = 60_000

export const startProgram = (args: ReadonlyArray<string>, options: StartOptions): Program => {
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), options.main ?? MAIN, ...args], {
    cwd: options.cwd,
    stdio: ["ignore", "pipe", options.stderr ?? "pipe"],
    env: { PATH: process.env["PATH"], LC_ALL: "C", HOME: options.home, ...options.env },
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid })
  })
  let stdout = ""
  let stderr = ""
  const listeners = new Set<() => void>()
  const tell = (): void => {
    for (const listener of listeners) listener()
  }
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
    tell()
  })
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
    tell()
  })
  let over: Ended | undefined
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code, signal) => {
      over = { code, signal, stdout, stderr }
      resolve(over)
      tell()
    })
  })
  const says = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        listeners.delete(look)
        clearTimeout(timer)
        finish()
      }
      const fail = (why: string): void =>
        settle(() => reject(new Error(`${why} without saying ${pattern}\n${stdout}\n${stderr}`)))
      const timer = setTimeout(() => fail("time passed"), PATIENCE)
      const look = (): void => {
        const found = pattern.exec(stdout) ?? pattern.exec(stderr)
        if (found !== null) settle(() => resolve(found))
        else if (over !== undefined) fail(`the program ended with ${over.code ?? over.signal}`)
      }
      listeners.add(look)
      look()
    })
  return {
    pid: child.pid ?? -1,
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
    says,
    kill: (signal) => child.kill(signal)
  }
}

/** What these tests read of `GET /api/v1/state`. */
export interface State {
  readonly problems: ReadonlyArray<{
    readonly source: string
    readonly where: string | null
    readonly message: string
  }>
  readonly running: ReadonlyArray<{
    readonly issue_identifier: string
    readonly run_id: string
    readonly attempt: number
    readonly stage: string
    readonly turn_count: number
    readonly last_event: string | null
    readonly last_message: string | null
  }>
  readonly retrying: ReadonlyArray<{
    readonly issue_identifier: string
    readonly kind: string
    readonly error: string | null
  }>
  readonly waiting: ReadonlyArray<{
    readonly issue_identifier: string
    readonly reason: { readonly code: string; readonly text: string }
  }>
  readonly slots: { readonly used: number; readonly limit: number }
  readonly codex_totals: { readonly total_tokens: number; readonly seconds_running: number }
  readonly runs_total: number
  readonly runs_completed: number
}

/** What these tests read of `GET /api/v1/issues/:identifier`. */
export interface Detail {
  readonly state: string
  readonly status: string
  readonly reason: { readonly text: string }
  readonly running: unknown
  readonly retrying: unknown
  readonly attempts: ReadonlyArray<{
    readonly attempt: number
    readonly started_at: string
    readonly ended_at: string
    readonly outcome: string
    readonly detail: string | null
  }>
  readonly recent_events: ReadonlyArray<{
    readonly at: string
    readonly event: string
    readonly message: string
  }>
}

export interface Service extends Program {
  readonly origin: string
  readonly token: string
  /** With the operator's token, unless other headers are given. */
  readonly request: (path: string, init?: RequestInit) => Promise<Response>
  readonly state: () => Promise<State>
  /** Undefined for one that it does not know (yet). */
  readonly issue: (identifier: string) => Promise<Detail | undefined>
  /** Looks whenever something has changed, until there is something to see. */
  readonly until: <A>(what: string, look: () => Promise<A | false | undefined>) => Promise<A>
  readonly untilDone: (...identifiers: ReadonlyArray<string>) => Promise<void>
}

/** Waits until a started program can be asked. */
export const serve = async (program: Program, project: Project): Promise<Service> => {
  const origin = (await program.says(/dashboard\s+(http:\/\/[^/\s]+)\//))[1] ?? ""
  const token = fs.readFileSync(path.join(project.state, "token"), "utf8").trim()
  const request = (where: string, init: RequestInit = {}) =>
    fetch(`${origin}${where}`, { headers: { authorization: `Bearer ${token}` }, ...init })
  const json = async <A>(where: string): Promise<A> => {
    const response = await request(where)
    if (!response.ok) throw new Error(`${where}: ${response.status} ${await response.text()}`)
    return (await response.json()) as A
  }
  const state = () => json<State>("/api/v1/state")
  const issue = async (identifier: string): Promise<Detail | undefined> => {
    const response = await request(`/api/v1/issues/${identifier}`)
    return response.ok ? ((await response.json()) as Detail) : undefined
  }
  const until: Service["until"] = async (what, look) => {
    const late = AbortSignal.timeout(PATIENCE)
    try {
      const changes = await request("/api/v1/events", {
        signal: late,
        headers: { authorization: `Bearer ${token}` }
      })
      for await (const _ of changes.body ?? []) {
        const found = await look()
        if (found !== false && found !== undefined) return found
      }
      throw new Error("the stream of changes has ended")
    } catch (error) {
      const last = await state().then(JSON.stringify, String)
      throw new Error(`waited in vain until ${what}: ${String(error)}\n${last}\n${program.stderr()}`, {
        cause: error
      })
    }
  }
  const untilDone = async (...identifiers: ReadonlyArray<string>) => {
    await until(`${identifiers.join(", ")} are done`, async () => {
      const details = await Promise.all(identifiers.map(issue))
      return details.every((detail) => detail?.state === "Done" && detail.running === null)
    })
  }
  return { ...program, origin, token, request, state, issue, until, untilDone }
}
