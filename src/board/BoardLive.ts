import { Clock, DateTime, Effect, Layer, Option, Stream } from "effect"
import { joinedLines, printableLine } from "../domain/printable.ts"
import type { Issue } from "../domain/Issue.ts"
import { roleOf } from "../domain/State.ts"
import { noTokens } from "../domain/Tokens.ts"
import { agentBranch } from "../domain/workspaceKey.ts"
import { capacityOf, explain, type Observation, observed } from "../scheduler/eligibility.ts"
import { Runs, type RunProgress } from "../scheduler/Runs.ts"
import { retryIsInVain } from "../scheduler/retryNow.ts"
import { Scheduler, type SchedulerView } from "../scheduler/Scheduler.ts"
import {
  type IssueRecord,
  issueOf,
  liveRunOf,
  type RunRecord,
  type SchedulerState,
  secondsOf
} from "../scheduler/state.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { Board, type BoardIssue, type BoardRun, type BoardSnapshot, Status } from "./Board.ts"
import { statusOf, textOf, UNBLOCKING } from "./explanations.ts"
import { type UnreadIssue, unreadIssues } from "./unread.ts"

const boardRun = (run: RunRecord, progress: RunProgress | undefined): BoardRun => ({
  run: run.run,
  attempt: run.attempt,
  stage: run.stage,
  adapter: run.adapter,
  session: run.session,
  turn: run.turn,
  tokens: run.tokens,
  startedAt: run.startedAt,
  lastEvent: progress?.lastEvent ?? null,
  lastMessage: progress === undefined ? null : printableLine(joinedLines(progress.lastMessage)),
  lastEventAt: progress?.lastEventAt ?? run.startedAt,
  sandbox: progress?.sandbox ?? null,
  markedDone: run.done !== null,
  stopping: run.conclusion === null ? run.cancel : null
})

/** The newest of what is on record; of an issue that nothing was done about yet, what its file says, or its age. */
const changedAt = (
  issue: Issue,
  record: IssueRecord | undefined,
  run: RunRecord | undefined,
  progress: RunProgress | undefined
): number | null => {
  const known = [
    progress?.lastEventAt,
    run?.startedAt,
    record?.steering?.answeredAt,
    record?.steering?.askedAt,
    record?.hold?.at,
    record?.history.at(-1)?.endedAt
  ].filter((at) => at != null)
  if (known.length > 0) return Math.max(...known)
  const written = DateTime.make(issue.updatedAt ?? issue.createdAt ?? "")
  return Option.isSome(written) ? DateTime.toEpochMillis(written.value) : issue.modifiedAt
}

const boardIssue = (
  state: SchedulerState,
  observation: Observation,
  issue: Issue,
  progress: RunProgress | undefined,
  now: number,
  unread: UnreadIssue["why"] | null
): BoardIssue => {
  const record = issueOf(state, issue.id)
  const run = liveRunOf(state, issue.id)
  const why = explain(state, observation, issue, now)
  const steering = record?.steering ?? null
  const status = statusOf(why, record)
  return {
    id: issue.id,
    identifier: issue.identifier,
    title: issue.title,
    description: issue.description,
    state: issue.state,
    role: roleOf(observation.policy.states, issue.state),
    status,
    why: unread ?? {
      code: why._tag,
      text: status === "needs you" && steering !== null ? steering.text : textOf(why)
    },
    priority: issue.priority,
    labels: issue.labels,
    blockedBy: issue.blockedBy,
    proposedBy: issue.proposedBy,
    url: issue.url,
    createdAt: issue.createdAt,
    updatedAt: issue.updatedAt,
    run: run === undefined ? null : boardRun(run, progress),
    question:
      steering === null
        ? null
        : {
            id: steering.question,
            text: steering.text,
            context: steering.context,
            askedAt: steering.askedAt,
            turn: steering.turn,
            reply: steering.reply
          },
    retry: record?.retry ?? null,
    retryable:
      unread === null &&
      (record?.relocation ?? null) === null &&
      retryIsInVain(state, observation, issue, now) === null,
    hold:
      record?.hold == null
        ? null
        : { reason: record.hold.reason, message: record.hold.message, at: record.hold.at },
    attempts: record?.attempts ?? 0,
    history: record?.history ?? [],
    handoff: record?.handoff ?? null,
    earlierHandoff: record?.earlierHandoff ?? null,
    account: record?.handoff == null || record.claim === null ? null : record.claim,
    pullRequest: record?.pullRequest ?? null,
    workspace: record?.workspace ?? null,
    branch: agentBranch(issue.identifier),
    tokens: record?.tokens ?? noTokens,
    seconds: (record?.seconds ?? 0) + (run === undefined ? 0 : secondsOf(run, now)),
    changedAt: changedAt(issue, record, run, progress)
  }
}

const urgency = (status: Status): number => Status.literals.indexOf(status)

/** Epoch milliseconds: since when it is as it is. What is finished counts from its end, the newest first. */
const since = (issue: BoardIssue): number =>
  issue.status === "ready for review" || issue.status === "closed"
    ? -(issue.changedAt ?? 0)
    : (issue.question?.askedAt ?? issue.run?.startedAt ?? issue.hold?.at ?? Number.MAX_SAFE_INTEGER)

/** As people count: `WEB-2` before `WEB-10`. */
const byIdentifier = new Intl.Collator("en", { numeric: true })

const byUrgency = (left: BoardIssue, right: BoardIssue): number =>
  urgency(left.status) - urgency(right.status) ||
  since(left) - since(right) ||
  byIdentifier.compare(left.identifier, right.identifier)

const badgeOf = (state: SchedulerState, issues: ReadonlyArray<BoardIssue>): BoardSnapshot["badge"] => {
  const isWanted = ({ retry, status }: BoardIssue): boolean =>
    status === "needs you" || (status === "waiting" && retry?.kind === "retry")
  if (issues.some(isWanted)) return "attention"
  return Object.keys(state.runs).length > 0 ? "working" : "idle"
}

const make = Effect.gen(function* () {
  const scheduler = yield* Scheduler
  const runs = yield* Runs
  const workflow = yield* Workflow

  const join = (
    view: SchedulerView,
    progress: ReadonlyMap<string, RunProgress>,
    now: number
  ): Omit<BoardSnapshot, "workflow" | "trackerRoot" | "problems"> => {
    const { state, observation } = view
    const onBoard = (issue: Issue, unread: UnreadIssue["why"] | null): BoardIssue => {
      const run = liveRunOf(state, issue.id)
      return boardIssue(state, observation, issue, run && progress.get(run.run), now, unread)
    }
    const read = [...observation.tracker.byId.keys()].flatMap((id) => {
      const issue = observed(state, observation, id)
      return issue === undefined ? [] : [onBoard(issue, null)]
    })
    const unread = unreadIssues(state, observation).map(({ issue, why }) => onBoard(issue, why))
    const issues = [...read, ...unread]
    const { inUse, kept } = capacityOf(state, observation)
    const live = Object.values(state.runs).reduce((sum, run) => sum + secondsOf(run, now), 0)
    return {
      generatedAt: now,
      mode: state.mode,
      badge: badgeOf(state, issues),
      issues: issues.sort(byUrgency),
      states: observation.policy.states.map(({ name, role }) => ({ name, role })),
      slots: {
        used: inUse.total + kept.total,
        limit: observation.policy.maxConcurrent
      },
      totals: { ...state.totals, seconds: state.totals.seconds + live, endedSeconds: state.totals.seconds }
    }
  }

  const snapshot = Effect.gen(function* () {
    const view = yield* scheduler.view
    const definition = yield* workflow.current
    return {
      ...join(view, yield* runs.progress, yield* Clock.currentTimeMillis),
      workflow: definition.path,
      trackerRoot: definition.config.tracker.root,
      problems: [
        ...(yield* workflow.problems),
        ...view.observation.tracker.problems,
        ...view.problems,
        ...Object.entries(view.state.blockedAdapters).map(([adapter, message]) => ({
          source: "adapter" as const,
          severity: "error" as const,
          where: adapter,
          message,
          hint: `no issue is started with it until the settings change or symphony is started anew; or mend it, ${UNBLOCKING}`
        }))
      ]
    }
  })

  return Board.of({
    snapshot,
    changes: Stream.merge(
      Stream.map(scheduler.views, () => undefined),
      Stream.map(runs.progressChanges, () => undefined)
    ).pipe(Stream.buffer({ capacity: 1, strategy: "sliding" }))
  })
})

/** The join, made anew for each look. */
export const layer = Layer.effect(Board, make)
