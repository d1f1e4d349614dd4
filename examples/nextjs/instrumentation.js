/** Next.js calls this once when a server starts. */
export async function register() {
  if (process.env.NEXT_RUNTIME !== 'nodejs' || process.env.NEXT_PHASE === 'phase-production-build') return;
  const { startOrigin } = await import('./lib/origin.js');
  startOrigin();
}
