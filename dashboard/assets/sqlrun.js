// Statements that somebody ran in this browser: an address with one of them runs it by itself, any other waits until it has been seen.
const KEY = "tower.sql", MOST = 20;

const all = () => JSON.parse(localStorage.getItem(KEY) ?? "[]");

export const wasRun = (sql) => all().includes(sql);

export function noteRun(sql) {
  localStorage.setItem(KEY, JSON.stringify([sql, ...all().filter((each) => each !== sql)].slice(0, MOST)));
}

export const forgetRuns = () => localStorage.removeItem(KEY);
