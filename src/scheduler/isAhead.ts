/** Whether a wait goes on. A clock that shows a time before its begin was set back, and the wait is over. */
export const isAhead = (since: number, until: number, now: number): boolean => since <= now && now < until
