# oracle.kernel.exponential, first half, n >= 1: t - n L = r1 + r2 to DX, L = ln 2 / 1024.
# The code's names stand for what float64 holds; capitals are real numbers. DELTA: what the three parts leave of L.
@r = float<ieee_64, ne>;
C = @STEPS_PER_UNIT@;
L1 = @L1@;
L2 = @L2@;
L3 = @L3@;
t_h = r(T_H);
t_l = r(T_L);
m r= t_h * C;
n = fixed<0, ne>(m);
d = t_h - n * L1;                        # exact: first two goals
s = d - n * L2;                          # n L2 is exact: third goal
r_head = r(s);
r_error = s - r_head;                    # two_sum is exact
t_rest r= t_l - r(n * L3);
r_low r= r_error + t_rest;
r1 = fixed<-38, ne>(r_head);             # adding 1.5 * 2^14 and subtracting it
r_rest = r_head - r1;                    # exact: fourth goal
r2 r= r_rest + r_low;

L = L1 + L2 + L3 + DELTA;
R = (t_h - n * L) + t_l;
DX = (r2 - (r_rest + r_low)) + (r_low - (r_error + t_rest)) + (t_rest - (t_l - r(n * L3)))
   + (n * L3 - r(n * L3)) + n * DELTA;   # = r1 + r2 - R, by the definitions above

{ T_H in [0x1p-12, 0x1p14] /\ |T_L| <= 0x1p-40 /\ n in [1, 24204407] /\ |DELTA| <= @DELTA@
  ->
     r(n * L1) - n * L1 in [0, 0]
  /\ r(d) - d in [0, 0]
  /\ r(n * L2) - n * L2 in [0, 0]
  /\ r(r_rest) - r_rest in [0, 0]
  /\ |r_head| <= @R_HEAD@
  /\ |r_rest| <= 0x1p-39
  /\ |r2| <= @R2@
  /\ |DX| <= @DX@ }

t_h - n * L -> (m - n) * L + (t_h * C - m) * L + t_h * (1 - C * L);
d -> (t_h - n * L) + n * (L2 + L3 + DELTA);
s -> (t_h - n * L) + n * (L3 + DELTA);
