import type { Job } from '../core/vocabulary.ts'
import type { Gateway, SqlFunction } from '../store/gateway.ts'
import type { StepResult } from './job.ts'
import type { SignHeads } from './sign-heads.ts'

/** Does one bounded step of a job; `all`: of each that the database does alone. It has no key to sign heads with. */
export type RunStep = SqlFunction<{ readonly job: Job | 'all' }, { readonly results: StepResult[] }>

export function createRunStep(gateway: Gateway, signHeads: SignHeads): RunStep {
  const runInSql = gateway.bind<{ readonly job: Job | 'all' }, { readonly results: StepResult[] }>('api_maintenance')

  return async function runStep(credential, request) {
    if (request.job !== 'sign_heads') return runInSql(credential, request)
    return { answer: { results: [await signHeads(credential)] }, changes: [] }
  }
}
