import { afterAll } from "bun:test";
import { stopTestServices } from "./services.ts";

afterAll(stopTestServices);
