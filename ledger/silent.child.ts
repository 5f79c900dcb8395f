// The writer's thread, hanging on its first call.
import "./thread.ts";
import { hangFirst } from "./hang-first.child.ts";

hangFirst();
