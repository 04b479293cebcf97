import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Board, type BoardIssue, type BoardSnapshot } from "../../board/Board.ts"
import type { RunId } from "../../domain/ids.ts"
import { sameState } from "../../domain/State.ts"
import type { HandoffError } from "../../handoff/Handoff.ts"
import { Transcripts } from "../../journal/Transcripts.ts"
import { Workflow } from "../../workflow/Workflow.ts"
import { OperatorAuth } from "../OperatorAuth.ts"
import { findDiff } from "../findDiff.ts"
import { findWork } from "../findWork.ts"
import { absence, findIssue } from "../operations.ts"
import { findUnsaved } from "../unsaved.ts"
import { DrainPage, MovePage, StopPage } from "./confirmPage.tsx"
import { DiffPage } from "./diffPage.tsx"
import { Home } from "./home.tsx"
import { IssuePage } from "./issuePage.tsx"
import { IssuesPage } from "./issuesPage.tsx"
import { KeysPage } from "./keysPage.tsx"
import { messagePage } from "./messagePage.tsx"
import { regions } from "./partials.tsx"
import { issuePath, runPath } from "./pieces.tsx"
import { fragmentResponse, pageResponse } from "./render.ts"
import { RunStatus } from "./runStatus.tsx"
import { isFailure, stepsOf } from "./steps.ts"
import { TextPage } from "./textPage.tsx"
import { onOnePage, PAGE_SIZE, TranscriptPage, type TranscriptPlace } from "./transcriptPage.tsx"
import { WorkPage } from "./workPage.tsx"

const partials = Object.entries(regions).map(([name, Region]) =>
  HttpRouter.add(
    "GET",
    `/api/v1/partials/${name}`,
    Effect.gen(function* () {
      const board = yield* Board
      return fragmentResponse(<Region board={yield* board.snapshot} />)
    })
  )
)

const home = HttpRouter.add(
  "GET",
  "/",
  Effect.gen(function* () {
    const board = yield* Board
    const auth = yield* OperatorAuth
    return pageResponse(<Home board={yield* board.snapshot} open={yield* auth.isOpen} />)
  })
)

const keys = HttpRouter.add(
  "GET",
  "/keys",
  Effect.gen(function* () {
    const board = yield* Board
    return pageResponse(<KeysPage board={yield* board.snapshot} />)
  })
)

const drain = HttpRouter.add(
  "GET",
  "/do/drain",
  Effect.gen(function* () {
    const board = yield* Board
    return pageResponse(<DrainPage board={yield* board.snapshot} />)
  })
)

/** A query that does not fit is as good as none. */
const query = <A, I extends Readonly<Record<string, string | undefined>>>(
  schema: Schema.Codec<A, I>,
  otherwise: A
) =>
  HttpServerRequest.schemaSearchParams(schema).pipe(
    Effect.catchTag("SchemaError", () => Effect.succeed(otherwise))
  )

/** A place in what is shown, in the address. */
const Index = Schema.optional(Schema.NumberFromString.pipe(Schema.check(Schema.isInt())))

const IssuesQuery = Schema.Struct({
  status: Schema.optional(Schema.String),
  q: Schema.optional(Schema.String),
  from: Index
})

const issues = HttpRouter.add(
  "GET",
  "/issues",
  Effect.gen(function* () {
    const board = yield* Board
    const { from = 0, q = "", status = "" } = yield* query(IssuesQuery, {})
    return pageResponse(<IssuesPage board={yield* board.snapshot} query={{ from, q, status }} />)
  })
)

const Params = Schema.Struct({ identifier: Schema.String, run: Schema.optional(Schema.String) })

/** A page about an issue that is there. */
const issueRoute = <R,>(
  path: HttpRouter.PathInput,
  page: (
    board: BoardSnapshot,
    issue: BoardIssue,
    run: string | undefined
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>
) =>
  HttpRouter.add(
    "GET",
    path,
    Effect.gen(function* () {
      const { identifier, run } = yield* Effect.orDie(HttpRouter.schemaPathParams(Params))
      const board = yield* (yield* Board).snapshot
      const issue = findIssue(board, identifier)
      return issue === undefined
        ? messagePage(404, "No such issue", absence(board, identifier), "/issues")
        : yield* page(board, issue, run)
    })
  )

const issue = issueRoute("/issues/:identifier", (board, found) =>
  Effect.succeed(pageResponse(<IssuePage board={board} issue={found} />))
)

const texts = issueRoute(
  "/issues/:identifier/text",
  Effect.fnUntraced(function* (board, found) {
    const { from = 0 } = yield* query(Schema.Struct({ from: Index }), {})
    return pageResponse(<TextPage board={board} issue={found} from={from} />)
  })
)

const stop = issueRoute("/issues/:identifier/stop", (board, found) =>
  Effect.map(findUnsaved(found), (unsaved) =>
    pageResponse(<StopPage board={board} issue={found} unsaved={unsaved} />)
  )
)

const move = issueRoute(
  "/issues/:identifier/move",
  Effect.fnUntraced(function* (board, found) {
    const { to } = yield* query(Schema.Struct({ to: Schema.String }), { to: "" })
    if (to === "")
      return messagePage(400, "Where to?", "The address names no state.", issuePath(found.identifier))
    const state = board.states.find(({ name }) => sameState(name, to))?.name
    if (state === undefined) {
      const declared = board.states.map(({ name }) => name).join(", ")
      return messagePage(
        404,
        "No such state",
        `There is no state ${to}. Declared: ${declared}.`,
        issuePath(found.identifier)
      )
    }
    if (sameState(found.state, state)) {
      return messagePage(
        400,
        "Nothing to move",
        `${found.identifier} is in ${state} already.`,
        issuePath(found.identifier)
      )
    }
    const { config } = yield* (yield* Workflow).current
    const unsaved = yield* findUnsaved(found)
    return pageResponse(
      <MovePage
        board={board}
        issue={found}
        to={state}
        unsaved={unsaved}
        handsOver={config.handoff.mode !== "none"}
      />
    )
  })
)

/** More entries than a transcript can hold. */
const WHOLE = 1_000_000

/** The run that an address names, where it is one of the issue's. */
const runOf = (issue: BoardIssue, run: string | undefined): RunId | null =>
  [issue.run?.run, ...issue.history.map((ended) => ended.run)].find((known) => known === run) ?? null

const noSuchRun = (issue: BoardIssue) =>
  messagePage(
    404,
    "No such run",
    `The address names no run of ${issue.identifier} that is remembered.`,
    issuePath(issue.identifier)
  )

const TranscriptQuery = Schema.Struct({
  depth: Schema.optional(Schema.Literals(["line", "steps", "raw"])),
  before: Index,
  /** Counts for more than `before`. */
  from: Index
})

const placeOf = ({ before, from }: typeof TranscriptQuery.Type): TranscriptPlace | null =>
  from !== undefined
    ? { end: "from", seq: from }
    : before !== undefined
      ? { end: "before", seq: before }
      : null

const transcript = issueRoute(
  "/issues/:identifier/runs/:run",
  Effect.fnUntraced(function* (board, found, run) {
    const asked = yield* query(TranscriptQuery, {})
    const { depth = "steps" } = asked
    const place = placeOf(asked)
    const id = runOf(found, run)
    if (id === null) return noSuchRun(found)
    const transcripts = yield* Transcripts
    const limit = depth === "line" ? WHOLE : PAGE_SIZE
    const before = place === null ? null : place.end === "from" ? place.seq + limit : place.seq
    const { entries: around, total } = yield* transcripts.page(found.identifier, id, { before, limit })
    const entries = onOnePage(depth, place?.end ?? "before", {
      entries: place?.end === "from" ? around.filter(({ seq }) => seq >= place.seq) : around,
      issue: found,
      run: id
    })
    return pageResponse(
      <TranscriptPage
        board={board}
        issue={found}
        run={id}
        depth={depth}
        place={place}
        entries={entries}
        total={total}
      />
    )
  })
)

/** What its page says of the run as such. */
const runStatus = issueRoute(
  "/issues/:identifier/runs/:run/status",
  Effect.fnUntraced(function* (board, found, run) {
    const id = runOf(found, run)
    if (id === null) return noSuchRun(found)
    const transcripts = yield* Transcripts
    const { total } = yield* transcripts.page(found.identifier, id, { before: null, limit: 0 })
    return fragmentResponse(<RunStatus board={board} issue={found} run={id} total={total} />)
  })
)

/** Leads to the page with the newest failure of a run. */
const lastError = issueRoute(
  "/issues/:identifier/runs/:run/last-error",
  Effect.fnUntraced(function* (_, found, run) {
    const id = runOf(found, run)
    if (id === null) return noSuchRun(found)
    const transcripts = yield* Transcripts
    const { entries, total } = yield* transcripts.page(found.identifier, id, { before: null, limit: WHOLE })
    const path = runPath(found.identifier, id)
    const failure = entries.findLast(isFailure)
    if (failure === undefined) return messagePage(404, "No error", "Nothing has failed in this run.", path)
    /** The failed step, where it is on the page that ends before an entry. */
    const stepBefore = (end: number) => {
      const up = entries.filter(({ seq }) => seq < end).slice(-PAGE_SIZE)
      return stepsOf(onOnePage("steps", "before", { entries: up, issue: found, run: id })).findLast(
        (step) => step.failed
      )
    }
    const newest = stepBefore(total)
    const step = newest ?? stepBefore(failure.seq + 1)
    return HttpServerResponse.redirect(
      `${path}${newest === undefined ? `?before=${failure.seq + 1}` : ""}#e-${step?.seq ?? failure.seq}`,
      { status: 303 }
    )
  })
)

const ChangeQuery = Schema.Struct({
  commit: Schema.optional(Schema.String),
  page: Index
})

const noSuchCommit = (issue: BoardIssue, path: string) =>
  messagePage(
    404,
    "No such commit",
    `The address names no commit that is in this change of ${issue.identifier}.`,
    path
  )

/** What is wrong with the work is no fault of ours. */
const notShown = (what: string, issue: BoardIssue) => (error: HandoffError) =>
  Effect.as(
    Effect.logWarning("a change cannot be shown", error),
    messagePage(
      error.reason === "hostile" || error.reason === "unverified" ? 409 : 503,
      what,
      error.message,
      issuePath(issue.identifier)
    )
  )

const diff = issueRoute(
  "/issues/:identifier/diff",
  Effect.fnUntraced(
    function* (board: BoardSnapshot, found: BoardIssue) {
      const { commit = null, page = 1 } = yield* query(ChangeQuery, {})
      const shown = yield* findDiff(found, commit)
      const path = issuePath(found.identifier)
      if (shown === null) {
        return messagePage(
          404,
          "Nothing to look at yet",
          `No run of ${found.identifier} has handed anything over.${found.workspace === null ? "" : " What is in its workspace so far is one page further."}`,
          found.workspace === null ? path : `${path}/work`
        )
      }
      if (commit !== null && shown.commit === null) return noSuchCommit(found, `${path}/diff`)
      return pageResponse(<DiffPage board={board} issue={found} diff={shown} page={page} />)
    },
    (effect, _, found) => Effect.catchTag(effect, "HandoffError", notShown("The diff cannot be shown", found))
  )
)

const work = issueRoute(
  "/issues/:identifier/work",
  Effect.fnUntraced(
    function* (board: BoardSnapshot, found: BoardIssue) {
      const { commit = null, page = 1 } = yield* query(ChangeQuery, {})
      const shown = yield* findWork(found, commit)
      const path = issuePath(found.identifier)
      if (shown === null) {
        return messagePage(404, "Nothing to look at", `${found.identifier} has no workspace.`, path)
      }
      if (commit !== null && shown.commit === null) return noSuchCommit(found, `${path}/work`)
      return pageResponse(<WorkPage board={board} issue={found} work={shown} page={page} />)
    },
    (effect, _, found) => Effect.catchTag(effect, "HandoffError", notShown("The work cannot be shown", found))
  )
)

export const pageRoutes = Layer.mergeAll(
  home,
  keys,
  drain,
  issues,
  issue,
  texts,
  stop,
  move,
  transcript,
  runStatus,
  lastError,
  diff,
  work,
  ...partials
)
