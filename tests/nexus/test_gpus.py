#!/usr/bin/env python3
"""GPUs that appear, vanish, fill up, hang and print garbage: by a scripted
nvidia-smi, and by a library in place of NVIDIA's, build/.../libnvidia-ml.so.1.

    test_gpus.py --bin NEXUS [TEST...]
"""

import json
import os
import pathlib
import sys
import time

sys.dont_write_bytecode = True  # beside the sources

import case  # noqa: E402
from case import Case, gpu_line  # noqa: E402


class Smi(Case):

    def script(self, text):
        path = self.top / "bin/nvidia-smi.new"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        path.rename(self.top / "bin/nvidia-smi")

    def problem(self):
        return json.loads(self.nexus("--json"))["problem"]

    def test_gpus_appear_and_vanish_under_a_job(self):
        self.set_gpus("")
        self.nexus()
        go = self.top / "go"
        name = self.add(f"while ! [ -e {go} ]; do sleep 0.1; done; exit 3")
        self.assertEqual(self.job(name)["state"], "queued")
        self.set_gpus(gpu_line(0))
        self.wait_state(name, "running")
        self.set_gpus("")
        self.wait_for(lambda: "(not seen)" in self.nexus(), "still seen")
        go.touch()
        self.run_nexus("wait", name)
        self.assertEqual(self.job(name)["exit_status"], 3)

    def test_a_gpu_that_fills_up_gets_no_job(self):
        self.set_gpus(gpu_line(0, used=9000) + gpu_line(1))
        self.nexus()
        names = [self.add("sleep 0.1") for _ in range(3)]
        self.nexus("wait", *names)
        self.assertEqual({self.job(name)["gpu"] for name in names}, {"1"})
        self.assertIn("9000 MiB in use", self.nexus("--why"))

    def test_one_that_hangs_is_told_and_the_rest_goes_on(self):
        self.nexus()
        running = self.add("sleep 2; exit 4")
        self.wait_state(running, "running")
        self.script("sleep 54323")
        self.run_nexus("wait", running)
        self.assertEqual(self.job(running)["exit_status"], 4)
        self.wait_for(lambda: self.problem() == "nvidia-smi does not answer",
                      "not told", seconds=30)
        waits = self.add("true")
        time.sleep(0.5)
        self.assertEqual(self.job(waits)["state"], "queued")
        begun = time.time()
        self.nexus("stop")
        self.assertLess(time.time() - begun, 5)
        self.nexus("remove", waits)
        for pid, line in self.left_behind().items():
            self.assertNotIn("54323", line, pid)

    def test_garbage_of_all_kinds(self):
        self.nexus()
        for text in ("head -c 3000000 /dev/urandom",
                     "printf '0, GPU-0, X, 1, 1\\n0, GPU-0, X, 1, 1\\n\\377\\n'",
                     "kill -9 $$", "exit 9", "exit 0"):
            with self.subTest(script=text):
                self.script(text)
                self.wait_for(lambda: self.problem() not in
                              ("", "nvidia-smi does not answer"), "not told",
                              seconds=30)
                self.script(case.NVIDIA_SMI.format(self.top)
                            .removeprefix("#!/bin/sh\n"))
                self.wait_for(lambda: self.problem() == "", "still told",
                              seconds=30)


class Nvml(Case):
    source = "auto"

    def setUp(self):
        super().setUp()
        folder = pathlib.Path(os.environ["FAKE_NVML_FOLDER"])
        self.assertTrue((folder / "libnvidia-ml.so.1").is_file())
        self.environment["LD_LIBRARY_PATH"] = str(folder)
        self.environment["FAKE_NVML"] = str(self.top / "nvml")
        # What nvidia-smi tells of is not what NVML does.
        self.set_gpus(gpu_line(7))
        self.put("GPU-a 8000 3 0", "GPU-b 24000 3 600")

    def put(self, *lines):
        fresh = self.top / "nvml.new"
        fresh.write_text("".join(line + "\n" for line in lines))
        fresh.rename(self.top / "nvml")

    def seen(self):
        status = json.loads(self.nexus("--json"))
        return [(gpu["index"], gpu["uuid"], gpu["memory_mib"], gpu["used_mib"],
                 gpu["available"]) for gpu in status["gpus"]], status["problem"]

    def test_it_is_asked_where_it_is_there(self):
        self.nexus()
        # What the driver keeps for itself is nobody's use.
        self.assertEqual(self.seen(), ([("0", "GPU-a", 8000, 3, True),
                                        ("1", "GPU-b", 24000, 3, True)], ""))
        self.assertIn("GPU 1 (Fake 9000, 23GB): Available", self.nexus())
        name = self.add("-m", "20G", 'echo "$CUDA_VISIBLE_DEVICES"')
        self.nexus("wait", name)
        self.assertEqual(self.nexus("logs", name), "1\n")

    def test_processes_and_memory_of_others_are_seen(self):
        self.put("GPU-a 8000 9 0 77,6", f"GPU-b 24000 700 0 {os.getpid()},0",
                 "GPU-c 24000 700 0")
        self.nexus()
        text = self.nexus("--why")
        self.assertIn("in use by process 77 (Xorg, 6 MiB)", text)
        self.assertIn(f"in use by process {os.getpid()} (", text)
        self.assertIn("700 MiB in use", text)
        self.nexus("config", "gpus.ignore", '["Xorg"]')
        self.wait_for(lambda: self.seen()[0][0][4], "not ignored")

    def test_a_lost_gpu_is_told_and_the_others_are_used(self):
        self.put("lost", "GPU-b 24000 3 0")
        self.nexus()
        gpus, problem = self.seen()
        self.assertEqual([gpu[0] for gpu in gpus], ["1"])
        self.assertEqual(problem,
                         "GPU 0: NVML: it cannot be opened: GPU is lost")
        self.nexus("wait", self.add("true"))

    def test_where_it_cannot_be_used_nvidia_smi_is_asked(self):
        for word in ("fail", "crash"):
            with self.subTest(word=word):
                self.put(word)
                self.nexus()
                self.wait_for(lambda: self.seen()[0][0][0] == "7", "not asked")
        self.nexus("config", "gpus.source", "nvml")
        self.wait_for(lambda: self.seen() == ([], "NVML failed"), "not told")
        self.put("fail")
        self.wait_for(lambda: self.seen()[1] == "NVML: it cannot be used: "
                      "Driver Not Loaded", "not told")

    def test_a_driver_that_hangs_is_told(self):
        self.nexus()
        self.put("hang")
        self.wait_for(lambda: self.seen() == ([], "NVML does not answer"),
                      "not told", seconds=30)
        self.put("GPU-a 8000 3 0")
        self.wait_for(lambda: self.seen()[1] == "", "still told", seconds=30)

    def test_the_other_source_can_be_forced(self):
        self.nexus("config", "gpus.source", "nvidia-smi")
        self.nexus()
        self.assertEqual(self.seen()[0][0][0], "7")


if __name__ == "__main__":
    sys.exit(case.main(__doc__))
