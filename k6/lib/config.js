// What a run is told by its environment; a missing or bad value stops it before any traffic.

function fail(name, why) {
  throw new Error(`${name}: ${why}`);
}

// Address of a service, without a trailing slash.
export function address(name) {
  const value = (__ENV[name] || '').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/]+/.test(value)) fail(name, 'must be an address like https://host:8000');
  return value;
}

export function number(name, fallback) {
  const text = __ENV[name];
  const value = text === undefined || text === '' ? fallback : Number(text);
  if (!Number.isFinite(value) || value <= 0) fail(name, `must be a number above 0 (got ${text})`);
  return value;
}

// Options of an open-model load: arrivals do not wait for answers, so a slow release cannot hide its slowness.
export function constantRate({ rate, durationSeconds, iterationSeconds, requestsPerIteration, p95Ms }) {
  const iterations = Math.floor(rate * durationSeconds);
  const vus = Math.max(5, Math.ceil(rate * iterationSeconds));
  return {
    // Arrivals per minute let a rate below one a second be a whole number.
    scenarios: {
      load: {
        executor: 'constant-arrival-rate',
        rate: Math.max(1, Math.round(rate * 60)),
        timeUnit: '60s',
        duration: `${durationSeconds}s`,
        preAllocatedVUs: vus,
        maxVUs: vus * 4,
        gracefulStop: '60s',
      },
    },
    thresholds: {
      // Without a least count, a run that sent nothing would pass every other threshold.
      'http_reqs{scenario:load}': [`count>=${Math.floor(iterations * requestsPerIteration * 0.95)}`],
      'http_req_failed{scenario:load}': ['rate==0'],
      'http_req_duration{scenario:load,kind:judged}': [`p(95)<${p95Ms}`],
      'checks{scenario:load}': ['rate==1'],
      dropped_iterations: ['count==0'],
    },
    summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'],
  };
}
