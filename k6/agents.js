// Jobs of the stack's own kind arrive; each is followed to its answer, and removed.

import * as app from './lib/app.js';

export { options } from './lib/plan.js';
export { handleSummary } from './lib/summary.js';

export function agents() {
  app.chooseInTurn();
  const job = app.startJob(`Revenue of the quarter ${app.uniqueWord('q')} rose in the north.`);
  if (!job) return;
  app.waitForJob(job);
  app.removeJob(job);
}
