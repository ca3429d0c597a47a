export * from './controls.ts'
export * from './entitlements.ts'
export * from './metering.ts'
export * from './platform.ts'
