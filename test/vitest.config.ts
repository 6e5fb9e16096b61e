import { defineConfig } from "vitest/config";

const HOUR_MS = 60 * 60_000;

/**
 * unit needs nothing; netns needs root and iproute2; uml needs user-mode-linux too.
 * drills and bench hold the full counts; they are no part of `npm test`.
 */
export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/netns/**", "test/uml/**", "test/drills/**", "test/bench/**"],
        },
      },
      {
        extends: true,
        test: {
          name: "netns",
          include: ["test/netns/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each file has namespaces of its own and mostly waits for timers.
          maxWorkers: 4,
        },
      },
      {
        extends: true,
        test: {
          name: "uml",
          include: ["test/uml/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      ...["drills", "bench"].map((name) => ({
        extends: true as const,
        test: {
          name,
          include: [`test/${name}/*.ts`],
          testTimeout: HOUR_MS,
          hookTimeout: HOUR_MS,
          fileParallelism: false,
        },
      })),
    ],
  },
});
