import { Refused } from '@jalon/engine';
import { Injectable } from '@nestjs/common';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What is counted and measured, for Prometheus. One registry per server, so that two in one process do not mix. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();

  readonly requests = new Histogram({
    name: 'jalon_http_request_seconds',
    help: 'Time to answer, by route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [this.registry],
  });

  readonly facts = new Counter({
    name: 'jalon_facts_total',
    help: 'Facts proposed over HTTP, by outcome (accepted, remembered, refused)',
    labelNames: ['outcome'],
    registers: [this.registry],
  });

  readonly lag = new Gauge({
    name: 'jalon_projection_lag_facts',
    help: 'Facts by which a read model is behind the journal, counted up to 1,000',
    labelNames: ['projection'],
    registers: [this.registry],
  });

  readonly diverged = new Gauge({
    name: 'jalon_log_diverged',
    help: '1 while the log does not extend what was signed last, so that nothing is signed nor sealed; else 0',
    registers: [this.registry],
  });

  readonly parked = new Gauge({
    name: 'jalon_projection_parked_dossiers',
    help: 'Dossiers that a read model could not digest',
    labelNames: ['projection'],
    registers: [this.registry],
  });

  readonly subscribers = new Gauge({
    name: 'jalon_stream_subscribers',
    help: 'Event streams that this process has open',
    registers: [this.registry],
  });

  readonly deliveries = new Gauge({
    name: 'jalon_webhook_deliveries',
    help: 'Messages of all webhooks that wait (pending) or were given up (dead)',
    labelNames: ['state'],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }
}

/** Counts what became of proposals. */
@Injectable()
export class Facts {
  constructor(private readonly metrics: Metrics) {}

  async counted<T extends { remembered: boolean }>(proposal: Promise<T>): Promise<T> {
    try {
      const accepted = await proposal;
      this.metrics.facts.inc({ outcome: accepted.remembered ? 'remembered' : 'accepted' });
      return accepted;
    } catch (fault) {
      if (fault instanceof Refused) this.metrics.facts.inc({ outcome: 'refused' });
      throw fault;
    }
  }
}
