// The Python that has the client's one dependency: the launcher installs it as a package of the
// system, which another Python in the PATH does not see.
const CANDIDATES = ["python3", "/usr/bin/python3"];

export function pythonWithAiohttp(): string {
  for (const python of CANDIDATES) {
    if (!Bun.which(python)) continue;
    const { exitCode } = Bun.spawnSync([python, "-c", "import aiohttp"], { stderr: "ignore" });
    if (exitCode === 0) return python;
  }
  throw new Error("no Python with aiohttp: ./sluice test installs python3-aiohttp");
}
