// Questions arrive; each is followed to its answer, and removed.

import * as app from './lib/app.js';

export { options } from './lib/plan.js';
export { handleSummary } from './lib/summary.js';

export function agents() {
  app.chooseInTurn();
  const job = app.startJob(`What changed in quarter ${app.uniqueWord('q')}?`, 1, 0);
  if (!job) return;
  app.waitForJob(job);
  app.removeJob(job);
}
