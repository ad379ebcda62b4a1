#!/bin/sh
# A SLURM array over the commands of a plan, one run a task. docs/study.md has the command that starts it.
#SBATCH --cpus-per-task=1
#SBATCH --time=02:00:00
. .venv/bin/activate
sh -c "$(sed -n "${SLURM_ARRAY_TASK_ID}p" plan.txt)"
