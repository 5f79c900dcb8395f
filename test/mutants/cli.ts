// The command line client with workers that have one rule disabled (worker.ts), for chaos.test.ts.
if (process.argv[2] === "worker") await import("./worker.ts");
else await import("../../cli/cli.ts");

export {};
