/** From a part of what is too much for one page to the next, and back to the beginning. */
export const Onward = ({
  from,
  next,
  path,
  query = {}
}: {
  /** Where this part begins, and the next one: counted from 0. `next`: null where there is none. */
  readonly from: number
  readonly next: number | null
  readonly path: string
  /** What else the address says. */
  readonly query?: Readonly<Record<string, string>>
}) => {
  const at = (index: number) =>
    `${path}?${new URLSearchParams({ ...query, ...(index === 0 ? {} : { from: String(index) }) }).toString()}`
  return from === 0 && next === null ? null : (
    <nav class="bar" aria-label="Pages">
      {from === 0 ? null : <a href={at(0)}>first</a>}
      {next === null ? null : <a href={at(next)}>next</a>}
    </nav>
  )
}
