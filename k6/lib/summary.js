// The end of a run: a few lines for people and, with ACP_SUMMARY_FILE, a JSON file of a shape of our own
// (k6's own summary export changes between versions).

function value(data, metric, name) {
  const found = data.metrics[metric];
  return found && found.values[name] !== undefined ? found.values[name] : 0;
}

function failedThresholds(data) {
  const failed = [];
  for (const [metric, found] of Object.entries(data.metrics)) {
    for (const [threshold, state] of Object.entries(found.thresholds || {})) {
      if (!state.ok) failed.push(`${metric}: ${threshold}`);
    }
  }
  return failed;
}

function failedChecks(group) {
  const own = (group.checks || []).filter((c) => c.fails > 0).map((c) => ({ name: c.name, fails: c.fails }));
  return own.concat(...(group.groups || []).map(failedChecks));
}

// Gives a handleSummary for the script called `name`.
export function summaryOf(name) {
  return (data) => {
    const requests = value(data, 'http_reqs', 'count');
    const figures = {
      script: name,
      requests,
      failed: Math.round(value(data, 'http_req_failed', 'rate') * requests),
      iterations: value(data, 'iterations', 'count'),
      dropped_iterations: value(data, 'dropped_iterations', 'count'),
      checks_rate: value(data, 'checks', 'rate'),
      median_ms: value(data, 'http_req_duration', 'med'),
      p95_ms: value(data, 'http_req_duration', 'p(95)'),
      p99_ms: value(data, 'http_req_duration', 'p(99)'),
      failed_thresholds: failedThresholds(data),
      failed_checks: failedChecks(data.root_group),
    };
    const lines = [
      `${name}: ${figures.requests} requests, ${figures.failed} failed, ${figures.dropped_iterations} dropped, ` +
        `p95 ${figures.p95_ms.toFixed(1)} ms, p99 ${figures.p99_ms.toFixed(1)} ms`,
      ...figures.failed_thresholds.map((text) => `  missed: ${text}`),
      ...figures.failed_checks.map((c) => `  failed ${c.fails} times: ${c.name}`),
    ];
    const outputs = { stdout: `${lines.join('\n')}\n` };
    if (__ENV.ACP_SUMMARY_FILE) outputs[__ENV.ACP_SUMMARY_FILE] = `${JSON.stringify(figures, null, 2)}\n`;
    return outputs;
  };
}
