# Figure of docs/results.md from a table of bench/study: gnuplot bench/study.gp (in the repository's root)
set terminal pngcairo size 1500,640 font 'DejaVu Sans,13'
set output 'docs/study/study.png'
set datafile separator ','
set datafile missing NaN
f = 'docs/study/informed.csv'
kinds = "ddim:0 ddim:1 dpmpp_2m dpmpp_2m_sde:1 heun"
titles = "DDIM(0) DDIM(1) DPM-Solver++(2M) DPM-Solver++(2M)-SDE Heun"
alone(kind) = (strcol(1) eq kind && $3 == 1 && strcol(6) eq 'alone') ? $7 / $5 : NaN
outside(kind) = (strcol(1) eq kind && $2 == 20 && strcol(6) eq 'projected') ? $8 : NaN
set multiplot layout 1,2
set key bottom right
set logscale x
set xlabel 'evaluations of the network a sample'
set ylabel 'solutions inside the prior / samples, network alone'
set xrange [3:120]
set yrange [0:1]
set title 'Yield at guidance 1'
plot for [i=1:5] f using 4:(alone(word(kinds, i))) with linespoints lw 2 pt 7 lc i title word(titles, i)
set key top left
set xlabel 'guidance'
set ylabel 'quantities of 52 outside the 99 % null, projected'
set xrange [0.9:9]
set xtics (1, 1.5, 2, 4, 8)
set yrange [0:40]
set title 'Distortion, 20 steps'
plot for [i=1:5] f using 3:(outside(word(kinds, i))) with linespoints lw 2 pt 7 lc i notitle
unset multiplot
