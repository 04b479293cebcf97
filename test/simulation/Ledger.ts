import type { IssueId, RunId } from "../../src/domain/ids.ts"
import type { JournalEntry } from "../../src/journal/Journal.ts"
import type { SchedulerEvent } from "../../src/scheduler/events.ts"
import type { Stage } from "./coverage.ts"

/** A promise that was broken. `invariant` is one of the names in `docs/simulation.md`. */
export class Violation extends Error {
  readonly invariant: string
  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`)
    this.invariant = invariant
  }
}

/** A move that is on record; what became of it is not. */
interface IntendedMove {
  readonly to: string
  /** By a clock that nobody sets. */
  readonly since: number
  /** Number of the process that intended it. */
  readonly life: number
}

export interface LedgerRun {
  readonly run: RunId
  readonly issue: IssueId
  readonly identifier: string
  state: string
  stage: Stage
  /** Until its sandbox is confirmed dead. */
  slot: boolean
  done: boolean
  passesOn: boolean
  cancelled: boolean
  exported: boolean
  move: IntendedMove | null
  hookStarted: boolean
  publishIntended: boolean
  /** Whether its agent took up the session before; null until there is one. */
  resumed: boolean | null
  turn: number
}

interface LedgerIssue {
  failures: number
  sessions: number
  /** Parked, and not taken back by a person. */
  held: boolean
  /** By the operator, who has not said since that it goes on. */
  stopped: boolean
  /** Not to be started between: an earlier time tells of a clock that was set back. */
  waits: { readonly since: number; readonly until: number }
  lastHandoff: "none" | "exported"
  /** The run that ended last. */
  lastRun: string | null
  question: { id: string; reply: string | null } | null
  /** The last reply that an agent has taken up. */
  answered: string | null
  relocation: IntendedMove | null
}

/** What the world was like, as far as the rules need it. */
export interface Facts {
  /** The largest number that was in force within the last seconds. */
  readonly recentCap: () => number
  readonly recentStateCap: (state: string) => number | null
  /** Whether issues were to be started from there within the last seconds. */
  readonly wasActive: (state: string) => boolean
  readonly recentThreshold: () => number
  readonly recentSessions: () => number
  readonly recentBackoffCaps: () => ReadonlyArray<number>
  /** Whether the issue lies in a terminal state, and has for longer than anybody needs to see it. */
  readonly isFinished: (id: string) => boolean
  /** By a clock that nobody sets. */
  readonly now: () => number
  /** By the same clock: what is journaled now was decided then, or later. */
  readonly decidedAt: () => number
  /** Whether people have taken the issue elsewhere since, or have made it unreadable. */
  readonly wasTakenAway: (id: string, since: number) => boolean
  /** Whether the sandbox of a run lives, as the world knows. */
  readonly lives: (run: RunId) => boolean
  readonly holdsToken: (run: RunId) => boolean
  readonly wasPrompted: (identifier: string, text: string) => boolean
  /** Whether a turn whose prompt held the text has ended as turns should. */
  readonly wasTakenUp: (identifier: string, text: string) => boolean
}

const isEvent = (entry: JournalEntry): entry is JournalEntry & SchedulerEvent =>
  typeof entry === "object" && entry !== null && "_tag" in entry && entry["_tag"] !== "Snapshot"

const NO_WAIT = { since: 0, until: 0 }

/** The delay before the n-th retry in a row, as the design states it. */
const statedBackoff = (n: number, cap: number): number => Math.min(10_000 * 2 ** (n - 1), cap)

/**
 * A second bookkeeper: reads what is journaled, knows nothing of the scheduler's own state, and holds each
 * entry against the promises.
 */
export const makeLedger = (facts: Facts) => {
  const runs = new Map<string, LedgerRun>()
  const issues = new Map<string, LedgerIssue>()
  /** Ended runs whose handoff is to be done again. */
  const askedAgain = new Set<string>()
  /** Those of them that have handed over since. */
  const madeGood = new Set<string>()
  const totals = { tokens: 0, runs: 0, completed: 0, seconds: 0 }
  /** Seconds of runs that live: of earlier processes, and since when they are alive in this one. */
  const alive = new Map<string, { readonly seconds: number; readonly since: number }>()
  /** When the newest append returned, and when what is read now was decided, at the earliest. */
  let appendedAt = 0
  let decidedAt = 0
  /** Number of the process that lives. */
  let life = 0
  /** When the newest event was. */
  let lastAt = 0
  /** A run has met a machine that has nothing left, and none has come further since. */
  let exhaustedAt: number | null = null
  /** Entries since the last compaction that are known to be durable. */
  let count = 0
  /** What a new process has found beyond that: its first append makes it durable, and until then nothing rests on it. */
  let found: ReadonlyArray<JournalEntry> = []

  const issueOf = (id: string): LedgerIssue => {
    const found = issues.get(id)
    if (found !== undefined) return found
    const made: LedgerIssue = {
      failures: 0,
      sessions: 0,
      held: false,
      stopped: false,
      waits: NO_WAIT,
      lastHandoff: "none",
      lastRun: null,
      question: null,
      answered: null,
      relocation: null
    }
    issues.set(id, made)
    return made
  }

  const require = (holds: boolean, invariant: string, detail: () => string): void => {
    if (!holds) throw new Violation(invariant, detail())
  }

  const liveRun = (event: { readonly _tag: string; readonly run: RunId }): LedgerRun => {
    const run = runs.get(event.run)
    if (run === undefined) {
      throw new Violation("no effect by an old generation", `${event._tag} of ${event.run}, which has ended`)
    }
    return run
  }

  /** Its agent goes on from the reply, or has no need of it. */
  const takenUp = (issue: LedgerIssue): void => {
    issue.answered = issue.question?.reply ?? issue.answered
    issue.question = null
  }

  /** Where our own moves have taken issues, and when. */
  const takenTo = new Map<string, { readonly state: string | null; readonly at: number }>()
  const isOurOwn = (issue: IssueId, state: string | null, since: number): boolean => {
    const last = takenTo.get(issue)
    if (last !== undefined && last.state === state && last.at >= since) return true
    return (
      issueOf(issue).relocation?.to === state ||
      [...runs.values()].some((run) => run.issue === issue && run.move?.to === state)
    )
  }

  const moved = (issue: IssueId, state: string | null, move: IntendedMove | null): void => {
    require(move === null ||
      move.to === state ||
      facts.wasTakenAway(issue, move.since) ||
      isOurOwn(issue, state, move.since), "a move is made", () =>
      `${issue} is in ${state} and was to go to ${move?.to}`)
    takenTo.set(issue, { state, at: facts.now() })
  }

  let mode = "running"

  const aliveUntil = (run: string, at: number): number => {
    const { seconds, since } = alive.get(run) ?? { seconds: 0, since: at }
    return seconds + Math.max(0, at - since) / 1000
  }

  const started = (event: Extract<SchedulerEvent, { readonly _tag: "RunStarted" }>): void => {
    const issue = issueOf(event.issue)
    for (const run of runs.values()) {
      require(run.issue !== event.issue, "at most one live run per issue", () =>
        `${event.run} and ${run.run} of ${event.issue}`)
    }
    require(!issue.stopped, "a stopped issue stays stopped", () => `${event.run} of ${event.issue} starts`)
    require(exhaustedAt === null ||
      event.at < exhaustedAt ||
      event.at - exhaustedAt >= 30_000, "a full machine starts nothing", () =>
      `${event.run} starts ${event.at - (exhaustedAt ?? 0)} ms after there was nothing left`)
    require(mode === "running" || (mode === "draining" && event.kind !== "first"), "a pause holds", () =>
      `${event.run} starts while symphony is ${mode}`)
    const live = [...runs.values()].filter((run) => run.slot)
    require(live.length < facts.recentCap(), "caps hold", () =>
      `${live.length} slots in use, cap ${facts.recentCap()}, and ${event.run} starts`)
    const cap = facts.recentStateCap(event.state)
    const same = live.filter((run) => run.state.toLowerCase() === event.state.toLowerCase()).length
    require(cap === null || same < cap, "caps hold", () =>
      `${same} in ${event.state}, cap ${cap}, and ${event.run} starts`)
    require(!facts.isFinished(event.issue), "nothing terminal is re-run", () =>
      `${event.run} of ${event.issue}`)
    require(facts.wasActive(event.state), "only active states are worked in", () =>
      `${event.run} starts in ${event.state}`)
    require(!issue.held, "the breaker trips and stays", () =>
      `${event.run} of ${event.issue} after ${issue.failures} failures`)
    const { since, until } = issue.waits
    require(event.at >= until || event.at < since, "no retry before it is due", () =>
      `${event.run} of ${event.issue} starts ${until - event.at} ms early`)
    runs.set(event.run, {
      run: event.run,
      issue: event.issue,
      identifier: event.identifier,
      state: event.state,
      stage: "claimed",
      slot: true,
      done: false,
      passesOn: false,
      cancelled: false,
      exported: false,
      move: null,
      hookStarted: false,
      publishIntended: false,
      resumed: null,
      turn: 0
    })
    issue.lastHandoff = "none"
    totals.runs += 1
    alive.set(event.run, { seconds: 0, since: event.at })
  }

  const ended = (event: Extract<SchedulerEvent, { readonly _tag: "RunEnded" }>): void => {
    const run = liveRun(event)
    const issue = issueOf(run.issue)
    const { next, outcome } = event
    issue.lastRun = event.run
    require(!facts.lives(event.run), "no sandbox outlives its run", () => event.run)
    require(!facts.holdsToken(event.run), "every token is revoked with its run", () => event.run)
    const before = issue.failures
    switch (outcome._tag) {
      case "Completed":
        issue.failures = 0
        // Passing an issue on is a session that did not end it.
        issue.sessions = run.passesOn ? issue.sessions + 1 : 0
        totals.completed += 1
        break
      case "Waiting":
        issue.failures = 0
        break
      case "Continue":
        issue.failures = 0
        issue.sessions += 1
        require(issue.sessions < facts.recentSessions() || next._tag === "Hold", "sessions are bounded", () =>
          `${run.issue} goes on after ${issue.sessions} sessions`)
        break
      case "Failed":
        if (outcome.reason === "machine_exhausted") {
          // Those that were started together have met one trouble.
          const since = exhaustedAt ?? -Infinity
          if (event.at < since || event.at - since >= 30_000) exhaustedAt = event.at
        } else if (outcome.reason === "tracker_unreadable") {
          require(run.resumed === null, "the breaker trips and stays", () =>
            `${event.run} had begun and is put off`)
        } else if (outcome.reason === "interrupted" && run.resumed !== null) {
          // The end of the process is nobody's failure, but a session that did not end it.
          issue.sessions += 1
          require(issue.sessions < facts.recentSessions() ||
            next._tag === "Hold", "sessions are bounded", () =>
            `${run.issue} goes on after ${issue.sessions} sessions`)
        } else if (outcome.class === "agent" || outcome.class === "infrastructure") {
          issue.failures += 1
          require(issue.failures < facts.recentThreshold() ||
            next._tag === "Hold", "the breaker trips and stays", () =>
            `${run.issue} goes on after ${issue.failures} failures`)
        }
        break
      case "Cancelled":
        break
    }
    if (next._tag === "Hold") issue.held = next.reason !== "configuration"
    issue.waits = next._tag === "Retry" ? { since: event.at, until: next.dueAt } : NO_WAIT
    if (next._tag === "Retry" && outcome._tag === "Failed") {
      const wait = next.dueAt - event.at
      if (outcome.class === "agent" || outcome.class === "infrastructure") {
        const inARow = before === issue.failures ? before + 1 : issue.failures
        require(facts
          .recentBackoffCaps()
          .some((cap) => wait === statedBackoff(inARow, cap)), "retries wait as stated", () =>
          `${wait} ms after ${issue.failures} failures of ${run.issue}`)
      }
      if (outcome.class === "rate_limit" && outcome.resetAt !== null) {
        require(next.dueAt >=
          Math.min(outcome.resetAt, event.at + 8 * 86_400_000), "retries wait as stated", () =>
          `${run.issue} is not to wait for its rate limit`)
      }
    }
    totals.seconds += aliveUntil(event.run, event.at)
    alive.delete(event.run)
    runs.delete(event.run)
  }

  const observe = (event: SchedulerEvent): void => {
    switch (event._tag) {
      case "RunStarted":
        return started(event)
      case "WorkspaceReady":
        liveRun(event).stage = "preparing"
        return
      case "SessionOpened": {
        const run = liveRun(event)
        run.stage = "conversing"
        run.resumed = event.resumed
        exhaustedAt = null
        return
      }
      case "TurnStarted": {
        const run = liveRun(event)
        run.stage = "conversing"
        run.turn = event.turn
        return
      }
      case "TurnEnded":
      case "UsageCounted":
        liveRun(event)
        totals.tokens += event.tokens.total
        return
      case "StateChanged":
        liveRun(event).state = event.state
        return
      case "SteeringAsked": {
        const run = liveRun(event)
        require(run.slot && !run.done && !run.cancelled, "no effect by an old generation", () =>
          `${event.run} asks after its end`)
        run.stage = "asking"
        const issue = issueOf(run.issue)
        const reply = issue.question?.reply ?? null
        require(issue.question === null ||
          (reply !== null && facts.wasPrompted(run.identifier, reply)), "replies reach the agent", () =>
          `${event.question} takes the place of ${issue.question?.id}`)
        takenUp(issue)
        issue.question = { id: event.question, reply: null }
        return
      }
      case "SteeringAnswered": {
        const issue = issueOf(event.issue)
        if (issue.question?.id === event.question) issue.question.reply = event.reply
        issue.waits = NO_WAIT
        return
      }
      case "SteeringWithdrawn":
        issueOf(event.issue).question = null
        return
      case "SteeringDelivered": {
        const run = liveRun(event)
        const issue = issueOf(run.issue)
        const { question } = issue
        if (question === null || question.id !== event.question) return
        const { reply } = question
        require(reply !== null && facts.wasTakenUp(run.identifier, reply), "replies reach the agent", () =>
          `${event.question} is said to be delivered to ${run.identifier}`)
        takenUp(issue)
        return
      }
      case "DoneClaimed": {
        const run = liveRun(event)
        require(run.slot && !run.cancelled, "no effect by an old generation", () =>
          `${event.run} is done after its end`)
        run.done = true
        run.passesOn = event.claim.signal === "transition"
        run.stage = "done claimed"
        takenUp(issueOf(run.issue))
        return
      }
      case "CancelRequested": {
        const run = liveRun(event)
        run.cancelled = true
        run.stage = "cancelling"
        return
      }
      case "Quiesced": {
        const run = liveRun(event)
        require(!facts.lives(event.run), "no sandbox outlives its run", () => `${event.run} is quiesced`)
        require(!facts.holdsToken(event.run), "every token is revoked with its run", () =>
          `${event.run} is quiesced`)
        run.slot = false
        run.stage = "exporting"
        return
      }
      case "Exported": {
        const run = liveRun(event)
        require(!run.slot, "intent, effect, result", () => `${event.run} exports while its agent may live`)
        run.exported = true
        run.stage = "exported"
        issueOf(run.issue).lastHandoff = "exported"
        return
      }
      case "HandoffAsked": {
        const { lastRun } = issueOf(event.issue)
        if (lastRun !== null) askedAgain.add(lastRun)
        return
      }
      case "HandedOver": {
        const issue = issueOf(event.issue)
        issue.lastHandoff = "exported"
        // Asked for once more, it is the same again.
        if (issue.lastRun !== null && !madeGood.has(issue.lastRun)) totals.completed += 1
        if (issue.lastRun !== null) madeGood.add(issue.lastRun)
        return
      }
      case "MoveIntended": {
        const run = liveRun(event)
        require(run.slot || run.exported, "nothing is moved before its export", () => event.run)
        // Taken up again, it is the same.
        run.move = { to: event.to, since: run.move?.since ?? decidedAt, life: run.move?.life ?? life }
        run.stage = "move intended"
        return
      }
      case "Moved": {
        const run = liveRun(event)
        // One that a predecessor was about to start ends, and its issue is started anew from where it lies.
        if (!run.slot || run.move?.life === life) moved(run.issue, event.state, run.move)
        run.move = null
        run.stage = run.slot ? "preparing" : "moved"
        run.state = event.state ?? run.state
        return
      }
      case "HookStarted": {
        const run = liveRun(event)
        run.hookStarted = true
        run.stage = "hook"
        return
      }
      case "HookEnded":
        liveRun(event).stage = "hook ended"
        return
      case "PublishIntended": {
        const run = liveRun(event)
        run.publishIntended = true
        run.stage = "publishing"
        return
      }
      case "Published":
        liveRun(event).stage = "published"
        return
      case "RunEnded":
        return ended(event)
      case "RelocationIntended":
        issueOf(event.issue).relocation = { to: event.to, since: decidedAt, life }
        return
      case "Relocated": {
        const issue = issueOf(event.issue)
        moved(event.issue, event.state, issue.relocation)
        issue.relocation = null
        return
      }
      case "HoldLifted":
      case "RetryNow": {
        const issue = issueOf(event.issue)
        issue.failures = 0
        issue.sessions = 0
        issue.held = false
        issue.stopped = false
        issue.waits = NO_WAIT
        return
      }
      case "RetryDropped":
        issueOf(event.issue).waits = NO_WAIT
        return
      case "OperatorStopped": {
        const issue = issueOf(event.issue)
        issue.waits = NO_WAIT
        issue.stopped = true
        return
      }
      case "Forgotten":
        issues.delete(event.issue)
        return
      case "Booted":
        life += 1
        for (const run of alive.keys()) alive.set(run, { seconds: aliveUntil(run, lastAt), since: event.at })
        return
      case "WorkspaceRemoved":
      case "WorkspaceFound":
      case "Reviewed":
      case "HandoffFailed":
      case "AdapterBlocked":
      case "AdapterUnblocked":
        return
      case "ModeSet":
        mode = event.mode
        return
    }
  }

  return {
    runs,
    issues,
    totals,
    /** Entries that an append has returned from. */
    appended: (entries: ReadonlyArray<JournalEntry>): void => {
      const earlier = found
      found = []
      const read = (entry: JournalEntry): void => {
        if (!isEvent(entry)) return
        observe(entry)
        lastAt = entry.at
      }
      decidedAt = appendedAt
      earlier.forEach(read)
      decidedAt = facts.decidedAt()
      entries.forEach(read)
      appendedAt = facts.now()
      count += earlier.length + entries.length
    },
    compacted: (): void => {
      count = 0
    },
    /** What a new process has found: what was known to be durable, and perhaps more. */
    reopened: (entries: ReadonlyArray<JournalEntry>): void => {
      const first = entries[0]
      const snapshot = first !== undefined && !isEvent(first) ? 1 : 0
      const length = entries.length - snapshot
      if (length < count) {
        require(snapshot === 1 && length === 0, "what was journaled survives", () =>
          `${length} entries of ${count}`)
        count = 0
      }
      found = entries.slice(snapshot + count)
    },
    liveRun: (run: string) => runs.get(run),
    mayPublish: (run: string): boolean => runs.get(run)?.publishIntended === true || askedAgain.has(run),
    /** What an agent is prompted with: a session that was not there when a person answered is told. */
    prompted: (id: RunId, text: string): void => {
      const run = runs.get(id)
      if (run === undefined || run.turn > 1 || run.resumed !== false) return
      const { answered } = issueOf(run.issue)
      require(answered === null || text.includes(answered), "replies reach the agent", () =>
        `${id} is not told: ${answered}`)
    },
    issueOf
  }
}
export type Ledger = ReturnType<typeof makeLedger>
