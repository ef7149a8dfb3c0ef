"""Alert rules over the metrics: measured, judged calmly, told once."""
